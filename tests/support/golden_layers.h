#pragma once

#include "support/golden.h"

#include <evenkeel/core/per_axis.h>
#include <evenkeel/nn/module.h>

#include <memory>
#include <utility>

namespace evenkeel::test {

// Layers of golden cases, without the test framework: tests and examples/reference_layers use it.

/// The layer that a case describes; null for an op that has none.
std::unique_ptr<nn::Module> make_golden_layer(const GoldenCase& golden, DType dtype);

/// max|got - want| / max|want|, or / 1 where want is all zeros; infinite for other shapes.
double golden_difference(const Tensor& got, const Tensor& want);

struct NamedDifference {
  std::string name;
  double difference;
};
/// Gives the layer the case's parameters and buffers by name, runs it forward and backward, and compares
/// output, gradients and running statistics ("y", "grad_…", "…_after"). The layer has the type `dtype`.
/// std::runtime_error if the case lacks a parameter.
std::vector<NamedDifference> layer_differences(const GoldenCase& golden, nn::Module& layer, DType dtype);

/// Nearest up-sampling with a factor of, say, 2.3 that makes 4 cells of 2: in one and three dimensions
/// PyTorch's forward reads by the factor, its backward (and both in two dimensions) as if the factor were 2.
/// Its gradient is then not the adjoint of its output, and only the gradient can be compared.
bool contradicts_itself(const GoldenCase& golden);

/// Names and shapes of parameters and buffers, each module's own before its children's, as in a state_dict.
std::vector<std::pair<std::string, Shape>> state_of(nn::Module& module);

/// An option that is a number, a list, or null (not set).
Axes axes_of(const nlohmann::json& value);

}  // namespace evenkeel::test
