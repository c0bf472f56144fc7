#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/check.h>
#include <evenkeel/nn/linear.h>

#include <fmt/format.h>

#include <cmath>

namespace evenkeel::nn {

Linear::Linear(const LinearOptions& options, Rng& rng) : options_(options) {
  const auto& [in, out, has_bias, dtype] = options_;
  if (in < 1 || out < 1)
    throw ConfigError(
        fmt::format("[Linear] expected in_features and out_features of at least 1, got {} and {}", in, out));
  check_floating("Linear", dtype);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight_ = add_parameter("weight", Tensor::uniform({out, in}, -bound, bound, rng, dtype));
  if (has_bias) bias_ = add_parameter("bias", Tensor::uniform({out}, -bound, bound, rng, dtype));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight_, bias_); }

std::string Linear::extra_repr() const {
  return fmt::format("in_features={}, out_features={}, bias={}", options_.in_features, options_.out_features,
                     options_.bias);
}

}  // namespace evenkeel::nn
