#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel::detail {

/// `gradient` summed over the axes along which `shape` was broadcast: the adjoint of expand().
Tensor sum_to(const Tensor& gradient, const Shape& shape);

/// 1 where x > 0, else 0: a constant.
Tensor is_positive(const Tensor& x);
/// `slope` (one, or one a channel) in a shape that broadcasts over x (N, C, …).
Tensor over_channels(const Tensor& slope, const Tensor& x);
/// ShapeError unless `slope` is [1] or has one number for each channel of x (N, C, …).
void check_slope(const char* op, const Tensor& x, const Tensor& slope);

}  // namespace evenkeel::detail
