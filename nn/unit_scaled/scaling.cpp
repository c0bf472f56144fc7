#include <evenkeel/nn/unit_scaled/scaling.h>

#include <cmath>

namespace evenkeel::unit_scaled::detail {

Tensor scale_both(const Tensor& x, double forward, double backward) {
  return !x.defined() || (forward == 1 && backward == 1) ? x : evenkeel::scale(x, forward, backward);
}

double inverse_root(double size) { return size > 0 ? 1 / std::sqrt(size) : 1; }

double log_interpolation(double alpha, double lower, double upper) {
  return std::exp(alpha * std::log(upper) + (1 - alpha) * std::log(lower));
}

ScaledOperands::ScaledOperands(const Tensor& input, const Tensor& kernel, const Tensor& term,
                               const Scales& scales)
    : x(scale_both(input, 1, scales.gradients[0] / scales.output)),
      weight(scale_both(kernel, scales.output, scales.gradients[1])),
      bias(scale_both(term, scales.output, scales.gradients[2])) {}

}  // namespace evenkeel::unit_scaled::detail
