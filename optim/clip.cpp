#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/parallel.h>
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

/// The sum of f over all gradients: pieces of a fixed size, added in their order.
template <class F>
double sum_over(const std::vector<nn::Parameter>& parameters, F f) {
  constexpr std::int64_t kGrain = kernels::kElementwiseGrain;
  double all = 0;
  std::vector<double> sums;
  for_each_gradient(parameters, [&](const auto* data, std::int64_t count) {
    sums.assign(static_cast<std::size_t>((count + kGrain - 1) / kGrain), 0.0);
    detail::parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      sums[static_cast<std::size_t>(begin / kGrain)] = kernels::sum_lanes<double>(
          end - begin, [=](std::int64_t i) { return f(static_cast<double>(data[begin + i])); });
    });
    for (const double sum : sums) all += sum;
  });
  return all;
}

double joint_norm(const std::vector<nn::Parameter>& parameters, double type) {
  if (type == 2) return std::sqrt(sum_over(parameters, [](double value) { return value * value; }));
  const double sum = sum_over(parameters, [](double value) { return std::abs(value); });
  if (type == 1 || !std::isfinite(sum)) return sum;
  if (std::isinf(type)) {
    double largest = 0;
    for_each_gradient(parameters, [&](const auto* data, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        largest = std::max(largest, std::abs(static_cast<double>(data[i])));
    });
    return largest;
  }
  return std::pow(sum_over(parameters, [type](double value) { return std::pow(std::abs(value), type); }),
                  1 / type);
}

}  // namespace

double clip_grad_norm_(const std::vector<nn::Parameter>& parameters, double max_norm, double norm_type) {
  if (!(norm_type >= 1))
    throw ConfigError("[clip_grad_norm_] expected a norm_type of at least 1, got " +
                      std::to_string(norm_type));
  if (!(max_norm >= 0))
    throw ConfigError("[clip_grad_norm_] expected a max_norm of at least 0, got " + std::to_string(max_norm));
  const detail::FlushDenormals flush;
  const double norm = joint_norm(parameters, norm_type);
  if (!std::isfinite(norm)) throw ValueError("[clip_grad_norm_] expected finite gradients, got NaN or Inf");
  const double factor = max_norm / (norm + 1e-6);
  if (factor < 1)
    for_each_gradient(parameters, [&]<class T>(T* data, std::int64_t count) {
      kernels::unary(count, data, data, [f = static_cast<T>(factor)](T value) { return f * value; });
    });
  return norm;
}

void clip_grad_value_(const std::vector<nn::Parameter>& parameters, double clip_value) {
  if (!(clip_value >= 0))
    throw ConfigError("[clip_grad_value_] expected a clip_value of at least 0, got " +
                      std::to_string(clip_value));
  for_each_gradient(parameters, [&]<class T>(T* data, std::int64_t count) {
    kernels::unary(count, data, data,
                   [high = static_cast<T>(clip_value)](T value) { return std::clamp(value, -high, high); });
  });
}

}  // namespace evenkeel::optim
