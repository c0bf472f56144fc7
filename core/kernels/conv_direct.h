#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// Convolution without a matrix product: tiles of the source are copied once, padded and with strides taken
/// apart, into scratch memory that stays in the L2 cache; register blocks then read every tap as a shifted
/// view of it.
template <class T>
void conv_direct_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y);
/// The same of gy with the weights turned round, once for each residue of gx's cells modulo the stride.
template <class T>
void conv_direct_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta);
/// Blocks over input channels and taps by vectors of output channels, of which gy is transposed tile by tile.
template <class T>
void conv_direct_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);
/// The same for a few output channels a group (depthwise among them): vectors run along the positions.
template <class T>
void conv_dot_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
