#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

enum class DepthwisePass { forward, input_grad, weight_grad };

/// Whether every channel is convolved by itself, enough planes are there to share out, and the last axis's
/// stride is one or two, or more where depthwise_by_lanes().
template <class T>
bool conv_is_depthwise(const ConvGeometry& g);

/// As conv_forward(), conv_input_grad() and conv_weight_grad(), where conv_is_depthwise(): by lanes where
/// depthwise_by_lanes(), by planes where depthwise_by_planes(), else rows are read where they are, with masks
/// at their ends.
template <class T>
void conv_depthwise_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv_depthwise_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void conv_depthwise_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
