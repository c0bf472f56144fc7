#pragma once

#include <array>
#include <cstdint>

namespace evenkeel::kernels {

/// Sizes of a pooling: x is (planes, in…), y is (planes, out…), where planes = batch * channels. Window o
/// covers o * stride + k * dilation - padding. `out` already reflects ceil_mode.
struct PoolGeometry {
  int rank = 1;
  std::int64_t planes = 1;
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::int64_t, 3> kernel{1, 1, 1};
  std::array<std::int64_t, 3> out{1, 1, 1};
  std::array<std::int64_t, 3> stride{1, 1, 1};
  std::array<std::int64_t, 3> dilation{1, 1, 1};
  std::array<std::int64_t, 3> padding{0, 0, 0};
};

/// y = largest value of each window, argmax (may be null) = where it was: flat index in the plane, first of
/// equals. A NaN wins. Every window must hold at least one cell of x.
template <class T>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, std::int64_t* argmax);
/// gx = gy sent to the argmax cells + beta * gx; beta is 0 or 1.
template <class T>
void max_pool_backward(const PoolGeometry& g, const T* gy, const std::int64_t* argmax, T* gx, T beta);

/// y = mean of each window (dilation 1). With count_include_pad the padding counts as zeros, as in PyTorch:
/// up to the padded size, not beyond it as ceil_mode may reach.
template <class T>
void avg_pool_forward(const PoolGeometry& g, bool count_include_pad, const T* x, T* y);
template <class T>
void avg_pool_backward(const PoolGeometry& g, bool count_include_pad, const T* gy, T* gx, T beta);

/// Adaptive average pooling: output o is the mean of x[floor(o * in / out) … ceil((o + 1) * in / out)); only
/// rank, planes, in and out of the geometry count.
template <class T>
void adaptive_avg_pool_forward(const PoolGeometry& g, const T* x, T* y);
template <class T>
void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx, T beta);

}  // namespace evenkeel::kernels
