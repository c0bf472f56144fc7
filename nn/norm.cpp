#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/shape.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/check.h>
#include <evenkeel/nn/norm.h>

#include <fmt/format.h>

#include <typeinfo>

namespace evenkeel::nn {

namespace {

void check_eps(const std::string& layer, double eps) {
  if (!(eps > 0)) throw ConfigError(fmt::format("[{}] expected eps above 0, got {}", layer, eps));
}

template <class Options>
void check_channel_norm(const std::string& layer, const Options& options, double momentum) {
  if (options.num_features < 1)
    throw ConfigError(
        fmt::format("[{}] expected num_features of at least 1, got {}", layer, options.num_features));
  check_eps(layer, options.eps);
  if (!(momentum >= 0 && momentum <= 1))
    throw ConfigError(fmt::format("[{}] expected momentum between 0 and 1, got {}", layer, momentum));
  check_floating(layer, options.dtype);
}

void check_normalized_shape(const std::string& layer, const Shape& shape) {
  if (shape.rank() < 1 || shape.numel() < 1)
    throw ConfigError(
        fmt::format("[{}] expected a normalized_shape with elements, got {}", layer, shape.str()));
}

template <class Options>
std::string repr(const Options& o, const std::string& momentum) {
  return fmt::format("{}, eps={}, momentum={}, affine={}, track_running_stats={}", o.num_features, o.eps,
                     momentum, o.affine, o.track_running_stats);
}

/// What `next` does to a norm's result of `channels` channels, if a norm can do it as well.
NormActivation activation_of(const Module& next, std::int64_t channels) {
  if (typeid(next) == typeid(ReLU)) return {NormActivation::Kind::relu, {}};
  if (typeid(next) == typeid(PReLU))
    if (const Tensor slope = static_cast<const PReLU&>(next).weight();
        slope.numel() == 1 || slope.numel() == channels)
      return {NormActivation::Kind::prelu, slope};
  return {};
}

}  // namespace

template <int D>
BatchNorm<D>::BatchNorm(const BatchNormOptions& options) : options_(options) {
  check_channel_norm(type_name(), options_, options_.momentum.value_or(0));
  const Shape shape{options_.num_features};
  if (options_.affine) {
    weight_ = add_parameter("weight", Tensor::ones(shape, options_.dtype));
    bias_ = add_parameter("bias", Tensor::zeros(shape, options_.dtype));
  }
  if (!options_.track_running_stats) return;
  running_mean_ = add_buffer("running_mean", Tensor::zeros(shape, options_.dtype));
  running_var_ = add_buffer("running_var", Tensor::ones(shape, options_.dtype));
  num_batches_tracked_ = add_buffer("num_batches_tracked", Tensor::zeros({}, DType::i64));
}

template <int D>
Tensor BatchNorm<D>::forward(const Tensor& x) {
  return run(x, {});
}

template <int D>
Tensor BatchNorm<D>::forward_with(const Tensor& x, const Module& next) {
  if (typeid(*this) != typeid(BatchNorm)) return {};  // a class derived from it may compute something else
  const NormActivation then = activation_of(next, options_.num_features);
  return then.kind == NormActivation::Kind::none ? Tensor() : run(x, then);
}

template <int D>
Tensor BatchNorm<D>::run(const Tensor& x, const NormActivation& then) {
  if ((x.rank() != D + 2 && !(D == 1 && x.rank() == 2)) || x.dim(1) != options_.num_features)
    throw ShapeError(fmt::format("[{}] expected x (N, {}, L…) with {} spatial axes, got {}", type_name(),
                                 options_.num_features, D, x.shape().str()));
  BatchNormParameters parameters{.training = is_training() || !options_.track_running_stats,
                                 .momentum = options_.momentum.value_or(0),
                                 .eps = options_.eps};
  if (!is_training() || !options_.track_running_stats)
    return batch_norm(x, parameters.training ? Tensor() : running_mean_,
                      parameters.training ? Tensor() : running_var_, weight_, bias_, parameters, then);
  std::int64_t& batches = *num_batches_tracked_.mutable_data<std::int64_t>();
  if (!options_.momentum) parameters.momentum = 1 / static_cast<double>(batches + 1);
  Tensor out = batch_norm(x, running_mean_, running_var_, weight_, bias_, parameters, then);
  ++batches;
  return out;
}

template <int D>
std::string BatchNorm<D>::extra_repr() const {
  return repr(options_, options_.momentum ? fmt::format("{}", *options_.momentum) : "none");
}

template <int D>
InstanceNorm<D>::InstanceNorm(const InstanceNormOptions& options) : options_(options) {
  check_channel_norm(type_name(), options_, options_.momentum);
  const Shape shape{options_.num_features};
  if (options_.affine) {
    weight_ = add_parameter("weight", Tensor::ones(shape, options_.dtype));
    bias_ = add_parameter("bias", Tensor::zeros(shape, options_.dtype));
  }
  if (!options_.track_running_stats) return;
  running_mean_ = add_buffer("running_mean", Tensor::zeros(shape, options_.dtype));
  running_var_ = add_buffer("running_var", Tensor::ones(shape, options_.dtype));
  add_buffer("num_batches_tracked", Tensor::zeros({}, DType::i64));
}

template <int D>
Tensor InstanceNorm<D>::forward(const Tensor& x) {
  return run(x, {});
}

template <int D>
Tensor InstanceNorm<D>::forward_with(const Tensor& x, const Module& next) {
  if (typeid(*this) != typeid(InstanceNorm) || x.rank() != D + 2) return {};
  const NormActivation then = activation_of(next, options_.num_features);
  return then.kind == NormActivation::Kind::none ? Tensor() : run(x, then);
}

template <int D>
Tensor InstanceNorm<D>::run(const Tensor& x, const NormActivation& then) {
  const bool unbatched = x.rank() == D + 1;
  if ((x.rank() != D + 2 && !unbatched) || x.dim(unbatched ? 0 : 1) != options_.num_features)
    throw ShapeError(fmt::format("[{}] expected x (N, {}, L…) or ({}, L…) with {} spatial axes, got {}",
                                 type_name(), options_.num_features, options_.num_features, D,
                                 x.shape().str()));
  const InstanceNormParameters parameters{.use_input_stats = is_training() || !options_.track_running_stats,
                                          .momentum = options_.momentum,
                                          .eps = options_.eps};
  Shape batched{1};
  for (const std::int64_t size : x.shape()) batched = batched.append(size);
  const Tensor out = instance_norm(unbatched ? reshape(x, batched) : x, running_mean_, running_var_, weight_,
                                   bias_, parameters, then);
  return unbatched ? reshape(out, x.shape()) : out;
}

template <int D>
std::string InstanceNorm<D>::extra_repr() const {
  return repr(options_, fmt::format("{}", options_.momentum));
}

template class BatchNorm<1>;
template class BatchNorm<2>;
template class BatchNorm<3>;
template class InstanceNorm<1>;
template class InstanceNorm<2>;
template class InstanceNorm<3>;

LayerNorm::LayerNorm(const LayerNormOptions& options) : options_(options) {
  check_normalized_shape("LayerNorm", options_.normalized_shape);
  check_eps("LayerNorm", options_.eps);
  check_floating("LayerNorm", options_.dtype);
  if (!options_.elementwise_affine) return;
  weight_ = add_parameter("weight", Tensor::ones(options_.normalized_shape, options_.dtype));
  if (options_.bias) bias_ = add_parameter("bias", Tensor::zeros(options_.normalized_shape, options_.dtype));
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, options_.normalized_shape, weight_, bias_, options_.eps);
}

std::string LayerNorm::extra_repr() const {
  return fmt::format("{}, eps={}, elementwise_affine={}, bias={}", options_.normalized_shape.str(),
                     options_.eps, options_.elementwise_affine, options_.bias);
}

RMSNorm::RMSNorm(const RMSNormOptions& options) : options_(options) {
  check_normalized_shape("RMSNorm", options_.normalized_shape);
  check_eps("RMSNorm", options_.eps.value_or(1));
  check_floating("RMSNorm", options_.dtype);
  if (options_.elementwise_affine)
    weight_ = add_parameter("weight", Tensor::ones(options_.normalized_shape, options_.dtype));
}

Tensor RMSNorm::forward(const Tensor& x) {
  return rms_norm(x, options_.normalized_shape, weight_, options_.eps);
}

std::string RMSNorm::extra_repr() const {
  return fmt::format("{}, eps={}, elementwise_affine={}", options_.normalized_shape.str(),
                     options_.eps ? fmt::format("{}", *options_.eps) : "none", options_.elementwise_affine);
}

}  // namespace evenkeel::nn
