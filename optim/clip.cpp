#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/optim/clip.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::optim {

namespace {

template <class F>
void for_each_gradient(const std::vector<nn::Parameter>& parameters, F&& f) {
  for (const nn::Parameter& parameter : parameters) {
    Tensor gradient = parameter.tensor().grad();
    if (!gradient.defined()) continue;
    detail::dispatch_floating("clip", gradient.dtype(),
                              [&]<class T>() { f(gradient.mutable_data<T>(), gradient.numel()); });
  }
}

}  // namespace

double clip_grad_norm_(const std::vector<nn::Parameter>& parameters, double max_norm) {
  double squares = 0;
  for_each_gradient(parameters, [&](auto* data, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      squares += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  });
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm)) throw ValueError("[clip_grad_norm_] expected finite gradients, got NaN or Inf");
  const double factor = max_norm / (norm + 1e-6);
  if (factor < 1)
    for_each_gradient(parameters, [&]<class T>(T* data, std::int64_t count) {
      kernels::unary(count, data, data, [f = static_cast<T>(factor)](T value) { return f * value; });
    });
  return norm;
}

void clip_grad_value_(const std::vector<nn::Parameter>& parameters, double limit) {
  for_each_gradient(parameters, [&]<class T>(T* data, std::int64_t count) {
    kernels::unary(count, data, data,
                   [high = static_cast<T>(limit)](T value) { return std::clamp(value, -high, high); });
  });
}

}  // namespace evenkeel::optim
