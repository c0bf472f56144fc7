#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/matmul.h>
#include <evenkeel/nn/unit_scaled/functional_linear.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::unit_scaled {

using detail::inverse_root;

namespace {

Scales linear_scales(const Shape& x, const Shape& weight, Constraint constraint, double output_power) {
  if (x.rank() < 1 || weight.rank() != 2)
    throw ShapeError("[unit_scaled.linear] expected x [..., in] and weight [out, in], got " + x.str() +
                     " and " + weight.str());
  const auto fan_in = static_cast<double>(weight[1]);
  const double of_parameters = inverse_root(x.slice(0, x.rank() - 1).numel());
  return apply_constraint(constraint,
                          {fan_in > 0 ? std::pow(fan_in, -output_power) : 1,
                           {inverse_root(weight[0]), of_parameters, of_parameters}},
                          1);
}

Tensor scaled_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Scales& scales) {
  const detail::ScaledOperands operands(x, weight, bias, scales);
  return evenkeel::linear(operands.x, operands.weight, operands.bias);
}

/// op(a, b) with scales of their own for a and b.
template <class Op>
Tensor scaled_binary(Op op, const Tensor& a, const Tensor& b, const Scales& scales) {
  const double shared = scales.gradients[1];
  const Tensor left = detail::scale_both(a, 1, scales.gradients[0] / shared);
  return detail::scale_both(op(left, b), scales.output, shared);
}

double branch_weight(double tau) { return tau / std::sqrt(1 + tau * tau); }
double skip_weight(double tau) { return 1 / std::sqrt(1 + tau * tau); }

}  // namespace

Scales linear_scales(const Shape& x, const Shape& weight, Constraint constraint) {
  return linear_scales(x, weight, constraint, 0.5);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Constraint constraint) {
  return scaled_linear(x, weight, bias, linear_scales(x.shape(), weight.shape(), constraint));
}

Scales linear_readout_scales(const Shape& x, const Shape& weight, Constraint constraint) {
  return linear_scales(x, weight, constraint, 1);
}

Tensor linear_readout(const Tensor& x, const Tensor& weight, const Tensor& bias, Constraint constraint) {
  return scaled_linear(x, weight, bias, linear_readout_scales(x.shape(), weight.shape(), constraint));
}

Scales matmul_scales(const Shape& a, const Shape& b, Constraint constraint) {
  if (a.rank() < 2 || b.rank() < 2)
    throw ShapeError("[unit_scaled.matmul] expected a [..., M, K] and b [..., K, N], got " + a.str() +
                     " and " + b.str());
  return apply_constraint(constraint,
                          {inverse_root(a.dim(-1)), {inverse_root(b.dim(-1)), inverse_root(a.dim(-2))}});
}

Tensor matmul(const Tensor& a, const Tensor& b, Constraint constraint) {
  return scaled_binary([](const Tensor& x, const Tensor& y) { return evenkeel::matmul(x, y); }, a, b,
                       matmul_scales(a.shape(), b.shape(), constraint));
}

Scales add_scales(const Shape& a, const Shape& b, Constraint constraint) {
  const std::int64_t count = broadcast_shapes("unit_scaled.add", a, b).numel();
  const auto repeated = [count](const Shape& shape) {
    return static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(1, shape.numel()));
  };
  const bool with_scalar = a.numel() == 1 || b.numel() == 1;
  return apply_constraint(
      constraint, {with_scalar ? 1 : std::sqrt(0.5), {inverse_root(repeated(a)), inverse_root(repeated(b))}});
}

Tensor add(const Tensor& a, const Tensor& b, Constraint constraint) {
  return scaled_binary([](const Tensor& x, const Tensor& y) { return evenkeel::add(x, y); }, a, b,
                       add_scales(a.shape(), b.shape(), constraint));
}

Tensor add(const Tensor& x, double number) { return x + number; }

std::pair<Tensor, Tensor> residual_split(const Tensor& x, double tau) {
  return {scale_bwd(x, branch_weight(tau)), scale_bwd(x, skip_weight(tau))};
}

Tensor residual_add(const Tensor& residual, const Tensor& skip, double tau) {
  return scale_fwd(residual, branch_weight(tau)) + scale_fwd(skip, skip_weight(tau));
}

Tensor residual_apply(const std::function<Tensor(const Tensor&)>& branch, const Tensor& x, double tau) {
  const auto [residual, skip] = residual_split(x, tau);
  return residual_add(branch(residual), skip, tau);
}

}  // namespace evenkeel::unit_scaled
