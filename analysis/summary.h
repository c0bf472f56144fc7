#pragma once

#include <evenkeel/core/tensor.h>
#include <evenkeel/nn/module.h>

#include <string>

namespace evenkeel::analysis {

/// A table of the layers that `model` calls for `input`, in the order of their first call: path, type, shape
/// of the output, number of parameters; below it the number of parameters of the whole model. Layers with
/// children are shown by their children. The model is run once, in evaluation, without a graph.
std::string summary(nn::Module& model, const Tensor& input);

}  // namespace evenkeel::analysis
