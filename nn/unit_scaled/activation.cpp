#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/activation.h>
#include <evenkeel/nn/unit_scaled/functional_activation.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled {

namespace {

std::string text(double mult, Constraint constraint) {
  return fmt::format("mult={}, constraint={}", mult, name(constraint));
}

}  // namespace

Tensor GELU::forward(const Tensor& x) {
  return gelu(x, options_.mult, options_.constraint, options_.approximate);
}

std::string GELU::extra_repr() const {
  return fmt::format("{}, approximate={}", text(options_.mult, options_.constraint),
                     options_.approximate == GeluApproximation::tanh ? "tanh" : "none");
}

Tensor SiLU::forward(const Tensor& x) { return silu(x, options_.mult, options_.constraint); }

std::string SiLU::extra_repr() const { return text(options_.mult, options_.constraint); }

Tensor ReLU::forward(const Tensor& x) { return relu(x, constraint_); }

std::string ReLU::extra_repr() const {
  return std::string("constraint=") + evenkeel::unit_scaled::name(constraint_);
}

PReLU::PReLU(const PReLUOptions& options) : options_(options) {
  if (options.num_parameters < 1)
    throw ConfigError(fmt::format("[unit_scaled.PReLU] expected num_parameters of at least 1, got {}",
                                  options.num_parameters));
  weight_ = add_parameter("weight", Tensor::full({options.num_parameters}, options.init, options.dtype),
                          MupType::norm);
  weight_.set_constraint(evenkeel::unit_scaled::name(options.constraint));
}

Tensor PReLU::forward(const Tensor& x) { return prelu(x, weight_, options_.init, options_.constraint); }

std::string PReLU::extra_repr() const {
  return fmt::format("num_parameters={}, init={}, constraint={}", options_.num_parameters, options_.init,
                     evenkeel::unit_scaled::name(options_.constraint));
}

Tensor Softmax::forward(const Tensor& x) { return softmax(x, dim_, options_.mult, options_.constraint); }

std::string Softmax::extra_repr() const {
  return fmt::format("dim={}, {}", dim_, text(options_.mult, options_.constraint));
}

Dropout::Dropout(const nn::DropoutOptions& options, Rng& rng) : nn::Dropout(options, rng), p_(options.p) {
  dropout_scales(p_);
}

Tensor Dropout::forward(const Tensor& x) {
  return detail::scaled(nn::Dropout::forward(x), dropout_scales(p_));
}

}  // namespace evenkeel::unit_scaled
