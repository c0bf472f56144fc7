#pragma once

#include <evenkeel/core/kernels/conv_depthwise.h>

namespace evenkeel::kernels {

/// Whether a pass of a depthwise convolution can run by planes: several rows, and a padded plane that stays
/// in the L2 cache; a stride of at most 2 along the last axis, and for the input's gradient no strides.
template <class T>
bool depthwise_by_planes(const ConvGeometry& g, DepthwisePass pass);

/// As conv_forward(), conv_input_grad() and conv_weight_grad(), where depthwise_by_planes(): each plane is
/// copied into a frame of zeros, in which every tap is a view at a fixed offset.
template <class T>
void depthwise_planes_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void depthwise_planes_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void depthwise_planes_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
