#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/flatten.h>

#include <fmt/format.h>

namespace evenkeel::nn {

Flatten::Flatten(int start_dim, int end_dim) : start_dim_(start_dim), end_dim_(end_dim) {
  if ((start_dim < 0) == (end_dim < 0) && end_dim < start_dim)
    throw ConfigError(
        fmt::format("[Flatten] expected end_dim of at least start_dim {}, got {}", start_dim, end_dim));
}

Tensor Flatten::forward(const Tensor& x) { return flatten(x, start_dim_, end_dim_); }

std::string Flatten::extra_repr() const {
  return fmt::format("start_dim={}, end_dim={}", start_dim_, end_dim_);
}

}  // namespace evenkeel::nn
