#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/functional_norm.h>
#include <evenkeel/nn/unit_scaled/norm.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled {

namespace {

std::int64_t checked_features(const char* layer, std::int64_t features) {
  if (features < 1)
    throw ConfigError(
        fmt::format("[unit_scaled.{}] expected num_features of at least 1, got {}", layer, features));
  return features;
}

void check_shape(const char* layer, const Shape& shape) {
  if (shape.rank() < 1 || shape.numel() < 1)
    throw ConfigError(fmt::format(
        "[unit_scaled.{}] expected a normalized_shape with axes and elements, got {}", layer, shape.str()));
}

void check_rank(const char* layer, const Tensor& x, int rank, bool flat_too) {
  if (x.rank() != rank + 2 && !(flat_too && x.rank() == 2))
    throw ShapeError(fmt::format("[unit_scaled.{}{}d] expected x (N, C, L…) with {} spatial axes, got {}",
                                 layer, rank, rank, x.shape().str()));
}

nn::Parameter marked(nn::Parameter parameter) {
  parameter.set_constraint(name(Constraint::none));
  return parameter;
}

}  // namespace

template <int D>
BatchNorm<D>::BatchNorm(const BatchNormOptions& options) : options_(options) {
  const Shape shape{checked_features("BatchNorm", options.num_features)};
  if (options.affine) {
    weight_ = marked(add_parameter("weight", Tensor::ones(shape, options.dtype), MupType::norm));
    bias_ = marked(add_parameter("bias", Tensor::zeros(shape, options.dtype), MupType::bias));
  }
  running_mean_ = add_buffer("running_mean", Tensor::zeros(shape, options.dtype));
  running_var_ = add_buffer("running_var", Tensor::ones(shape, options.dtype));
  num_batches_tracked_ = add_buffer("num_batches_tracked", Tensor::zeros({}, DType::i64));
}

template <int D>
Tensor BatchNorm<D>::forward(const Tensor& x) {
  check_rank("BatchNorm", x, D, D == 1);
  if (is_training()) ++*num_batches_tracked_.mutable_data<std::int64_t>();
  return unit_scaled::batch_norm(
      x, running_mean_, running_var_, weight_, bias_,
      {.training = is_training(), .momentum = options_.momentum, .eps = options_.eps});
}

template <int D>
std::string BatchNorm<D>::extra_repr() const {
  return fmt::format("{}, eps={}, momentum={}, affine={}", options_.num_features, options_.eps,
                     options_.momentum, options_.affine);
}

template <int D>
InstanceNorm<D>::InstanceNorm(const InstanceNormOptions& options) : options_(options) {
  const Shape shape{checked_features("InstanceNorm", options.num_features)};
  if (!options.affine) return;
  weight_ = marked(add_parameter("weight", Tensor::ones(shape, options.dtype), MupType::norm));
  bias_ = marked(add_parameter("bias", Tensor::zeros(shape, options.dtype), MupType::bias));
}

template <int D>
Tensor InstanceNorm<D>::forward(const Tensor& x) {
  check_rank("InstanceNorm", x, D, false);
  if (x.dim(1) != options_.num_features)
    throw ShapeError(fmt::format("[unit_scaled.InstanceNorm{}d] expected x of {} channels, got {}", D,
                                 options_.num_features, x.shape().str()));
  return unit_scaled::instance_norm(x, {}, {}, weight_, bias_, {.eps = options_.eps});
}

template <int D>
std::string InstanceNorm<D>::extra_repr() const {
  return fmt::format("{}, eps={}, affine={}", options_.num_features, options_.eps, options_.affine);
}

template class BatchNorm<1>;
template class BatchNorm<2>;
template class BatchNorm<3>;
template class InstanceNorm<1>;
template class InstanceNorm<2>;
template class InstanceNorm<3>;

LayerNorm::LayerNorm(const LayerNormOptions& options) : options_(options) {
  check_shape("LayerNorm", options.normalized_shape);
  if (!options.elementwise_affine) return;
  weight_ =
      marked(add_parameter("weight", Tensor::ones(options.normalized_shape, options.dtype), MupType::norm));
  if (options.bias)
    bias_ =
        marked(add_parameter("bias", Tensor::zeros(options.normalized_shape, options.dtype), MupType::bias));
}

Tensor LayerNorm::forward(const Tensor& x) {
  return unit_scaled::layer_norm(x, options_.normalized_shape, weight_, bias_, options_.eps);
}

std::string LayerNorm::extra_repr() const {
  return fmt::format("{}, eps={}, elementwise_affine={}", options_.normalized_shape.str(), options_.eps,
                     options_.elementwise_affine);
}

RMSNorm::RMSNorm(const RMSNormOptions& options) : options_(options) {
  check_shape("RMSNorm", options.normalized_shape);
  if (options.elementwise_affine)
    weight_ =
        marked(add_parameter("weight", Tensor::ones(options.normalized_shape, options.dtype), MupType::norm));
}

Tensor RMSNorm::forward(const Tensor& x) {
  return unit_scaled::rms_norm(x, options_.normalized_shape, weight_, options_.eps);
}

std::string RMSNorm::extra_repr() const {
  return fmt::format("{}, eps={}, elementwise_affine={}", options_.normalized_shape.str(), options_.eps,
                     options_.elementwise_affine);
}

}  // namespace evenkeel::unit_scaled
