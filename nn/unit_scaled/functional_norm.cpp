#include <evenkeel/nn/unit_scaled/functional_norm.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::unit_scaled {

namespace {

Tensor scaled_parameter(const Tensor& x, const Tensor& parameter) {
  if (!parameter.defined()) return parameter;
  return scale_bwd(parameter, norm_scales(x.shape(), parameter.numel()).gradients[1]);
}

}  // namespace

Scales norm_scales(const Shape& x, std::int64_t size) {
  const double share = static_cast<double>(size) / static_cast<double>(std::max<std::int64_t>(1, x.numel()));
  return {1, {1, std::sqrt(share), std::sqrt(share)}};
}

Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormParameters& parameters) {
  return evenkeel::batch_norm(x, running_mean, running_var, scaled_parameter(x, weight),
                              scaled_parameter(x, bias), parameters);
}

Tensor instance_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                     const Tensor& bias, const InstanceNormParameters& parameters) {
  return evenkeel::instance_norm(x, running_mean, running_var, scaled_parameter(x, weight),
                                 scaled_parameter(x, bias), parameters);
}

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  return evenkeel::layer_norm(x, normalized_shape, scaled_parameter(x, weight), scaled_parameter(x, bias),
                              eps);
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, double eps) {
  return evenkeel::rms_norm(x, normalized_shape, scaled_parameter(x, weight), eps);
}

}  // namespace evenkeel::unit_scaled
