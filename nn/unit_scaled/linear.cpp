#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/functional_linear.h>
#include <evenkeel/nn/unit_scaled/linear.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled {

Linear::Linear(const LinearOptions& options, Rng& rng) : options_(options) {
  const auto& [in, out, has_bias, constraint, type, dtype] = options_;
  if (in < 1 || out < 1)
    throw ConfigError(fmt::format(
        "[unit_scaled.Linear] expected in_features and out_features of at least 1, got {} and {}", in, out));
  weight_ = add_parameter("weight", Tensor::randn({out, in}, rng, dtype), type);
  weight_.set_constraint(evenkeel::unit_scaled::name(constraint));
  if (!has_bias) return;
  bias_ = add_parameter("bias", Tensor::zeros({out}, dtype), MupType::bias);
  bias_.set_constraint(evenkeel::unit_scaled::name(constraint));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight_, bias_, options_.constraint); }

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}, constraint={}", options_.in_features,
                     options_.out_features, options_.bias, evenkeel::unit_scaled::name(options_.constraint));
}

LinearReadout::LinearReadout(const LinearReadoutOptions& options, Rng& rng)
    : Linear({options.in_features, options.out_features, options.bias, options.constraint,
              options.weight_mup_type, options.dtype},
             rng) {}

Tensor LinearReadout::forward(const Tensor& x) {
  return linear_readout(x, weight(), bias(), options().constraint);
}

}  // namespace evenkeel::unit_scaled
