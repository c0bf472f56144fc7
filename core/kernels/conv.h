#pragma once

#include <array>
#include <cstdint>

namespace evenkeel::kernels {

/// Sizes of a convolution. x is (batch, in_channels, in…), w (out_channels, in_channels / groups, kernel…),
/// y (batch, out_channels, out…), each dense. y[o] reads x[o * stride + k * dilation - padding]; what is
/// outside x counts as zero. `padding` is the left side's; the right side's follows from `out`. Only batch
/// and in may be 0.
struct ConvGeometry {
  int rank = 1;  ///< 1, 2 or 3 spatial axes: the entries of the arrays that count
  std::int64_t batch = 1;
  std::int64_t in_channels = 1;
  std::int64_t out_channels = 1;
  std::int64_t groups = 1;
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::int64_t, 3> kernel{1, 1, 1};
  std::array<std::int64_t, 3> out{1, 1, 1};
  std::array<std::int64_t, 3> stride{1, 1, 1};
  std::array<std::int64_t, 3> dilation{1, 1, 1};
  std::array<std::int64_t, 3> padding{0, 0, 0};
};

/// y = x * w + bias; bias (out_channels) may be null.
template <class T>
void conv_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);

/// gx = (the adjoint of x -> y, applied to gy) + beta * gx; beta is 0 (gx is not read) or 1. A transposed
/// convolution is this with gx as its output.
template <class T>
void conv_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);

/// gw = (the adjoint of w -> y, applied to gy) + beta * gw; beta is 0 or 1.
template <class T>
void conv_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
