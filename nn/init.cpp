#include <evenkeel/core/error.h>
#include <evenkeel/nn/init.h>

#include <cmath>

namespace evenkeel::nn::init {

namespace {

void require_matrix(const Shape& weight) {
  if (weight.rank() < 2)
    throw ShapeError("[init] expected a weight (out, in, kernel…), got the shape " + weight.str());
}

double root(double numerator, std::int64_t fan) { return std::sqrt(numerator / static_cast<double>(fan)); }

}  // namespace

std::int64_t fan_in(const Shape& weight) {
  require_matrix(weight);
  return weight.slice(1, weight.rank()).numel();
}

std::int64_t fan_out(const Shape& weight) {
  require_matrix(weight);
  return weight.without(1).numel();
}

Tensor uniform_(Tensor weight, double low, double high, Rng& rng) {
  return weight.copy_(Tensor::uniform(weight.shape(), low, high, rng, weight.dtype()));
}

Tensor normal_(Tensor weight, double mean, double deviation, Rng& rng) {
  Tensor values = Tensor::randn(weight.shape(), rng, weight.dtype());
  detail::dispatch_floating("normal_", weight.dtype(), [&]<class T>() {
    T* data = values.mutable_data<T>();
    for (std::int64_t i = 0; i < values.numel(); ++i)
      data[i] = static_cast<T>(mean) + static_cast<T>(deviation) * data[i];
  });
  return weight.copy_(values);
}

Tensor kaiming_uniform_(Tensor weight, Rng& rng, double gain) {
  const double bound = gain * root(3, fan_in(weight.shape()));
  return uniform_(weight, -bound, bound, rng);
}

Tensor kaiming_normal_(Tensor weight, Rng& rng, double gain) {
  return normal_(weight, 0, gain * root(1, fan_in(weight.shape())), rng);
}

Tensor xavier_uniform_(Tensor weight, Rng& rng, double gain) {
  const double bound = gain * root(6, fan_in(weight.shape()) + fan_out(weight.shape()));
  return uniform_(weight, -bound, bound, rng);
}

Tensor xavier_normal_(Tensor weight, Rng& rng, double gain) {
  return normal_(weight, 0, gain * root(2, fan_in(weight.shape()) + fan_out(weight.shape())), rng);
}

void megengine_(Tensor weight, Tensor bias, Rng& rng) {
  kaiming_normal_(weight, rng, 1);
  if (bias.defined()) bias.fill_(0);
}

}  // namespace evenkeel::nn::init
