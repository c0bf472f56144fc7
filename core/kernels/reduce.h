#pragma once

#include <cstdint>
#include <span>

namespace evenkeel::kernels {

/// y = alpha * (sum of x (outer, n, inner) over the middle axis) + beta * y, y (outer, inner); y is not read
/// when beta is 0. Blocks of fixed size are added in fixed order, so the bits do not depend on the threads
/// and the rounding error does not grow with n.
template <class T>
void sum_axis(std::int64_t outer, std::int64_t n, std::int64_t inner, T alpha, const T* x, T beta, T* y);

/// y = (x of shape `from` summed down to shape `to`) + beta * y: the adjoint of broadcasting. `to` is
/// right-aligned with `from`; each of its axes is 1 or that of `from`.
template <class T>
void sum_to_shape(std::span<const std::int64_t> from, std::span<const std::int64_t> to, const T* x, T beta,
                  T* y);

}  // namespace evenkeel::kernels
