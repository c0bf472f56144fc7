#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// Whether a depthwise convolution runs by planes: unit strides, several rows, and a padded plane that stays
/// in the L2 cache.
template <class T>
bool depthwise_by_planes(const ConvGeometry& g);

/// As conv_forward(), conv_input_grad() and conv_weight_grad(), where depthwise_by_planes(): each plane is
/// copied into a frame of zeros, in which every tap is a view at a fixed offset.
template <class T>
void depthwise_planes_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void depthwise_planes_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void depthwise_planes_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
