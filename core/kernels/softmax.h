#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// Softmax over the middle axis of (outer, n, inner); safe for large values. y may be x.
template <class T>
void softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y);
/// gx = y * (gy - sum(gy * y)) + beta * gx; beta is 0 (gx not read) or 1.
template <class T>
void softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy, T* gx,
                      T beta);

/// Of the middle axis of (outer, n, inner), into (outer, inner): the largest element, and the logarithm of
/// the sum of exp(x - largest). log(softmax(x)) is x less both.
template <class T>
void log_sum_exp(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* largest, T* log_sum);
/// log(softmax(x)).
template <class T>
void log_softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y);
/// gx = gy - exp(y) * sum(gy) + beta * gx.
template <class T>
void log_softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy,
                          T* gx, T beta);

}  // namespace evenkeel::kernels
