#pragma once

#include <evenkeel/core/tensor.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

#include <functional>
#include <utility>

namespace evenkeel::unit_scaled {

// Each function has its declared scales beside it, by shapes. Errors as the plain op's.

/// Of (x, weight, bias): output fan_in^-½, x fan_out^-½ (tied by the constraint), parameters rows^-½.
Scales linear_scales(const Shape& x, const Shape& weight, Constraint constraint);
/// x [..., in] times weight [out, in] transposed, plus bias [out] or undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Constraint constraint = Constraint::to_output_scale);

/// As linear_scales(), but for the output: 1 / fan_in.
Scales linear_readout_scales(const Shape& x, const Shape& weight, Constraint constraint);
/// linear() for the last layer of a net.
Tensor linear_readout(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      Constraint constraint = Constraint::none);

/// Output inner^-½, left (columns of b)^-½, right (rows of a)^-½.
Scales matmul_scales(const Shape& a, const Shape& b, Constraint constraint);
/// a [..., M, K] times b [..., K, N].
Tensor matmul(const Tensor& a, const Tensor& b, Constraint constraint = Constraint::to_output_scale);

/// Output 2^-½ (1 if either is a scalar), each gradient (times it was repeated)^-½.
Scales add_scales(const Shape& a, const Shape& b, Constraint constraint);
/// a + b with broadcasting.
Tensor add(const Tensor& a, const Tensor& b, Constraint constraint = Constraint::to_output_scale);
/// Adding a number leaves the scale as it is.
Tensor add(const Tensor& x, double number);

/// x for a residual branch and x for the skip connection. In backward the branches' gradients are added with
/// the weights that residual_add() gives their values, τ/√(1+τ²) and 1/√(1+τ²): so gradients inside the
/// branch have unit scale too. A τ above 1 favours the residual branch.
std::pair<Tensor, Tensor> residual_split(const Tensor& x, double tau = 1);
/// (τ·residual + skip) / √(1+τ²) in value; both get the whole gradient.
Tensor residual_add(const Tensor& residual, const Tensor& skip, double tau = 1);
/// residual_add(branch(residual), skip) of the split x.
Tensor residual_apply(const std::function<Tensor(const Tensor&)>& branch, const Tensor& x, double tau = 1);

}  // namespace evenkeel::unit_scaled
