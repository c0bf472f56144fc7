#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/activation.h>
#include <evenkeel/core/ops/dropout.h>
#include <evenkeel/nn/unit_scaled/functional_activation.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace evenkeel::unit_scaled {

using detail::log_interpolation;

namespace {

constexpr double kPi = std::numbers::pi;

/// How near the function is to its sharp limit.
double sharpness(double mult, double offset) {
  if (!(mult > 0)) throw ConfigError(fmt::format("[unit_scaled] expected a positive mult, got {}", mult));
  return 1 / (1 + offset / (mult * mult));
}

double relu_output_scale() { return std::sqrt(2 / (1 - 1 / kPi)); }

Tensor unscaled_silu(const Tensor& x, double mult) {
  return mult == 1 ? evenkeel::silu(x) : x * sigmoid(x * mult);
}

}  // namespace

Scales gelu_scales(double mult, Constraint constraint) {
  const double alpha = sharpness(mult, 0.25);
  return apply_constraint(constraint, {log_interpolation(alpha, 2, relu_output_scale()),
                                       {log_interpolation(alpha, 2, std::sqrt(2))}});
}

Tensor gelu(const Tensor& x, double mult, Constraint constraint, GeluApproximation approximation) {
  const Scales scales = gelu_scales(mult, constraint);
  const Tensor out =
      mult == 1 ? evenkeel::gelu(x, approximation) : evenkeel::gelu(x * mult, approximation) / mult;
  return detail::scaled(out, scales);
}

Scales silu_scales(double mult, Constraint constraint) {
  return apply_constraint(constraint, {log_interpolation(sharpness(mult, 0.25), 2, relu_output_scale()),
                                       {log_interpolation(sharpness(mult, 1), 2, std::sqrt(2))}});
}

Tensor silu(const Tensor& x, double mult, Constraint constraint) {
  const Scales scales = silu_scales(mult, constraint);
  return detail::scaled(unscaled_silu(x, mult), scales);
}

Scales silu_glu_scales(double mult) {
  const double scale = log_interpolation(sharpness(mult, 1), 2, std::sqrt(2));
  return {scale, {scale, scale}};
}

Tensor silu_glu(const Tensor& x, const Tensor& gate, double mult) {
  const Scales scales = silu_glu_scales(mult);
  return detail::scaled(x * unscaled_silu(gate, mult), scales);
}

Scales relu_scales(Constraint constraint) {
  return apply_constraint(constraint, {relu_output_scale(), {std::sqrt(2)}});
}

Tensor relu(const Tensor& x, Constraint constraint) {
  return detail::scaled(evenkeel::relu(x), relu_scales(constraint));
}

double mean_share_behind_prelu(double slope) {
  return (1 - slope) * (1 - slope) / (kPi * (1 + slope * slope));
}

Scales prelu_scales(const Shape& x, const Shape& weight, double slope, Constraint constraint) {
  const double square = (1 + slope * slope) / 2;
  const double mean_square = (1 - slope) * (1 - slope) / (2 * kPi);
  const double shared =
      static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(1, weight.numel()));
  return apply_constraint(
      constraint,
      {1 / std::sqrt(square - mean_square), {1 / std::sqrt(square), detail::inverse_root(shared / 2)}}, 1);
}

Tensor prelu(const Tensor& x, const Tensor& weight, double slope, Constraint constraint) {
  const Scales scales = prelu_scales(x.shape(), weight.shape(), slope, constraint);
  const double of_input = scales.gradients[0];
  const Tensor slopes = detail::scale_both(weight, 1, scales.gradients[1] / of_input);
  return detail::scale_both(evenkeel::prelu(x, slopes), scales.output, of_input);
}

Scales softmax_scales(std::int64_t size, double mult, Constraint constraint) {
  const double alpha = sharpness(mult, 4);
  const auto n = static_cast<double>(std::max<std::int64_t>(1, size));
  return apply_constraint(constraint, {log_interpolation(alpha, n, std::sqrt(n)),
                                       {log_interpolation(alpha, n / mult, std::sqrt(n / mult))}});
}

Tensor softmax(const Tensor& x, int axis, double mult, Constraint constraint) {
  const Scales scales = softmax_scales(x.dim(axis), mult, constraint);
  return detail::scaled(evenkeel::softmax(mult == 1 ? x : x * mult, axis), scales);
}

Scales dropout_scales(double p) {
  if (!(p >= 0 && p < 1))
    throw ConfigError(fmt::format("[unit_scaled.dropout] expected a p of at least 0 and below 1, got {}", p));
  return {std::sqrt(1 - p), {std::sqrt(1 - p)}};
}

Tensor dropout(const Tensor& x, double p, Rng* rng) {
  const Scales scales = dropout_scales(p);
  return detail::scaled(rng == nullptr || p == 0 ? x : evenkeel::dropout(x, p, *rng), scales);
}

}  // namespace evenkeel::unit_scaled
