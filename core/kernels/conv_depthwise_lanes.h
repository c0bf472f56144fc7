#pragma once

#include <evenkeel/core/kernels/conv_depthwise.h>

namespace evenkeel::kernels {

inline constexpr int kMaxLanesStep = 4;  ///< stride of the last axis

/// Whether a pass of a depthwise convolution runs with a vector's lanes as channels: enough of them, on
/// planes too narrow to fill vectors with neighbouring positions.
template <class T>
bool depthwise_by_lanes(const ConvGeometry& g, DepthwisePass pass);

/// As conv_forward(), conv_input_grad() and conv_weight_grad(), where depthwise_by_lanes(): planes of
/// neighbouring channels are transposed, so that a vector holds one cell of each.
template <class T>
void depthwise_lanes_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void depthwise_lanes_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void depthwise_lanes_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
