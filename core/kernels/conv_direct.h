#pragma once

#include <evenkeel/core/kernels/conv_pass.h>

namespace evenkeel::kernels {

/// A pass by shifted views: tiles of the source are copied once, padded and with strides taken apart, into
/// scratch memory that stays in the L2 cache; register blocks of output channels by vectors of positions then
/// read every tap as a view of it. Serves any stride, dilation and groups.
template <class T>
void conv_direct(const ConvPass<T>& pass);

/// Blocks over input channels and taps by vectors of output channels, of which gy is transposed tile by tile.
/// Of a pointwise one with long rows the side of fewer channels is transposed, if they fill vectors; the
/// other side's rows are read where they lie.
template <class T>
void conv_direct_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);
/// Whether vectors of positions beat vectors of output channels in a gradient of the weights: a group's
/// output channels would leave many lanes empty, and planes are long enough to fill the vectors otherwise.
bool conv_dot_weight_grad_pays(const ConvGeometry& g);
/// The same as conv_direct_weight_grad() for a few output channels a group (depthwise among them): vectors
/// run along the positions.
template <class T>
void conv_dot_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta);

}  // namespace evenkeel::kernels
