#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// Whether the kernel covers the whole input, so that there is one output: the layers of a squeeze and
/// excitation, or the last ones of an old net.
bool conv_is_linear(const ConvGeometry& g);

/// The three passes as the products of a Linear layer, whose weights the kernel's already are.
template <class T>
void conv_linear_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv_linear_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
template <class T>
void conv_linear_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
