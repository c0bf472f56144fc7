#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/check.h>

#include <fmt/format.h>

namespace evenkeel::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }
Tensor GELU::forward(const Tensor& x) { return gelu(x, approximate_); }
Tensor SiLU::forward(const Tensor& x) { return silu(x); }
Tensor Sigmoid::forward(const Tensor& x) { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) { return tanh(x); }
Tensor Softmax::forward(const Tensor& x) { return softmax(x, dim_); }
Tensor LogSoftmax::forward(const Tensor& x) { return log_softmax(x, dim_); }

PReLU::PReLU(const PReLUOptions& options) {
  if (options.num_parameters < 1)
    throw ConfigError(
        fmt::format("[PReLU] expected num_parameters of at least 1, got {}", options.num_parameters));
  check_floating("PReLU", options.dtype);
  weight_ = add_parameter("weight", Tensor::full({options.num_parameters}, options.init, options.dtype));
}

Tensor PReLU::forward(const Tensor& x) { return prelu(x, weight_); }

std::string PReLU::extra_repr() const { return fmt::format("num_parameters={}", weight_.tensor().numel()); }

std::string GELU::extra_repr() const {
  return approximate_ == GeluApproximation::tanh ? "approximate='tanh'" : "approximate='none'";
}

std::string Softmax::extra_repr() const { return fmt::format("dim={}", dim_); }
std::string LogSoftmax::extra_repr() const { return fmt::format("dim={}", dim_); }

}  // namespace evenkeel::nn
