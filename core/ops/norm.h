#pragma once

#include <evenkeel/core/tensor.h>

#include <optional>

namespace evenkeel {

// Normalisation to mean 0 and variance 1 (biased), then · weight + bias. weight and bias may be undefined.
// Double backward: yes, all.

/// An activation of a norm's result in the same pass over memory, which need not keep that result: relu() or
/// prelu() with `slope`.
struct NormActivation {
  enum class Kind { none, relu, prelu };
  Kind kind = Kind::none;
  Tensor slope = {};
};

struct BatchNormParameters {
  bool training = true;   ///< normalise by x's own statistics and update the running ones
  double momentum = 0.1;  ///< running = (1 - momentum)·running + momentum·statistic
  double eps = 1e-5;
};

/// Per channel of x (N, C, L…) or (N, C), over batch and space (arXiv 1502.03167). running_mean and
/// running_var (C) are updated in place in training if they are defined, the variance unbiased, and needed
/// for evaluation. ShapeError in training with less than two values a channel.
Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, const BatchNormParameters& parameters = {},
                  const NormActivation& then = {});

struct InstanceNormParameters {
  bool use_input_stats = true;  ///< normalise by x's own statistics; else by the running ones
  double momentum = 0.1;
  double eps = 1e-5;
};

/// Per item and channel of x (N, C, L…), over space (arXiv 1607.08022). Running statistics as in
/// batch_norm(), each item's averaged. ShapeError with its own statistics for less than two cells.
Tensor instance_norm(const Tensor& x, Tensor running_mean = {}, Tensor running_var = {},
                     const Tensor& weight = {}, const Tensor& bias = {},
                     const InstanceNormParameters& parameters = {}, const NormActivation& then = {});

/// Over the last axes, which are `normalized_shape` (arXiv 1607.06450); weight and bias have that shape.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);

/// x / √(mean(x²) + eps) · weight over the last axes (arXiv 1910.07467). eps not set: the type's machine
/// epsilon.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = {});

}  // namespace evenkeel
