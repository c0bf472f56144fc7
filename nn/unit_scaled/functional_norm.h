#pragma once

#include <evenkeel/core/ops/norm.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// A normalised output has unit scale by itself, and so has its input gradient for an input of unit scale;
// only the gradients of weight and bias are scaled, by (elements of the parameter / elements of x)^½.

/// Of (x, weight, bias), for a parameter of `size` elements.
Scales norm_scales(const Shape& x, std::int64_t size);

/// As evenkeel::batch_norm(): parameters (C).
Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, const BatchNormParameters& parameters = {});
/// As evenkeel::instance_norm(): parameters (C).
Tensor instance_norm(const Tensor& x, Tensor running_mean = {}, Tensor running_var = {},
                     const Tensor& weight = {}, const Tensor& bias = {},
                     const InstanceNormParameters& parameters = {});
/// As evenkeel::layer_norm(): parameters of the normalised shape.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
/// As evenkeel::rms_norm(), computed in x's own type.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, double eps = 1e-5);

}  // namespace evenkeel::unit_scaled
