#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel::detail {

/// `gradient` summed over the axes along which `shape` was broadcast: the adjoint of expand().
Tensor sum_to(const Tensor& gradient, const Shape& shape);

}  // namespace evenkeel::detail
