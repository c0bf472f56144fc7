#pragma once

#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

/// The value times `factor`, the gradient as it is.
inline Tensor scale_fwd(const Tensor& x, double factor) { return evenkeel::scale(x, factor, 1); }
/// The gradient times `factor`, the value as it is.
inline Tensor scale_bwd(const Tensor& x, double factor) { return evenkeel::scale(x, 1, factor); }

namespace detail {

/// scale(), without an op where both factors are 1 and for an absent parameter.
Tensor scale_both(const Tensor& x, double forward, double backward);
/// The op's output of one input, scaled in both directions.
inline Tensor scaled(const Tensor& out, const Scales& scales) {
  return scale_both(out, scales.output, scales.gradients[0]);
}
/// size^-½; of nothing 1.
double inverse_root(double size);
inline double inverse_root(std::int64_t size) { return inverse_root(static_cast<double>(size)); }
/// exp of the mean of log(lower) and log(upper), weighted 1 - alpha and alpha.
double log_interpolation(double alpha, double lower, double upper);

/// The operands of an op that is linear in x and in weight, so that op(x, weight) + bias then has the scales
/// of (x, weight, bias). The output's scale rides on the weight: no pass over the activations is needed for
/// it, nor for the input gradient's where both are the same.
struct ScaledOperands {
  ScaledOperands(const Tensor& input, const Tensor& kernel, const Tensor& term, const Scales& scales);
  Tensor x, weight, bias;
};

}  // namespace detail
}  // namespace evenkeel::unit_scaled
