#pragma once

#include "support/golden.h"

#include <evenkeel/core/per_axis.h>
#include <evenkeel/nn/module.h>

#include <functional>
#include <memory>

namespace evenkeel::test {

/// Makes the layer that a golden case describes.
using LayerMaker = std::function<std::unique_ptr<nn::Module>(DType dtype)>;

/// Gives the layer the case's parameters and buffers by name, runs it in f64 and f32, and compares output,
/// gradients and running statistics: max|got - want| ≤ tolerance·max|want|, tolerance 1e-12 and 1e-5 (where
/// want is all zeros: |got| ≤ tolerance). With `keys` in the case, names and shapes of the state too, in
/// order. The number of cases and the worst differences of each op are printed when the program ends.
void check_layer(const GoldenCase& golden, const LayerMaker& make, double f32_tolerance = 1e-5);

/// Names and shapes of parameters and buffers, each module's own before its children's, as in a state_dict.
std::vector<std::pair<std::string, Shape>> state_of(nn::Module& module);

/// An option that is a number, a list, or null (not set).
Axes axes_of(const nlohmann::json& value);

/// Value of an option, or its default where the case does not have it.
template <class T>
T option(const GoldenCase& golden, const char* name, T otherwise) {
  return golden.options.value(name, otherwise);
}

}  // namespace evenkeel::test
