#include <evenkeel/core/ops.h>
#include <evenkeel/nn/flatten.h>

#include <fmt/format.h>

namespace evenkeel::nn {

Tensor Flatten::forward(const Tensor& x) { return flatten(x, start_dim_, end_dim_); }

std::string Flatten::extra_repr() const {
  return fmt::format("start_dim={}, end_dim={}", start_dim_, end_dim_);
}

}  // namespace evenkeel::nn
