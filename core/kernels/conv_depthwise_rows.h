#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// As conv_forward(), conv_input_grad() and conv_weight_grad(), where conv_is_depthwise(): vectors of
/// neighbouring positions of a row, which is read where it lies.
template <class T>
void depthwise_rows_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void depthwise_rows_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void depthwise_rows_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
