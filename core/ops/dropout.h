#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

/// Sets each element to 0 with probability `p`, independently, and multiplies the others by 1 / (1 - p)
/// (Srivastava et al., 2014). Takes x.numel() numbers from `rng`. ConfigError unless 0 ≤ p ≤ 1. Double
/// backward: yes.
Tensor dropout(const Tensor& x, double p, Rng& rng);

}  // namespace evenkeel
