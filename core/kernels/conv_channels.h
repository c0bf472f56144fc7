#pragma once

#include <evenkeel/core/kernels/conv_pass.h>

namespace evenkeel::kernels {

/// Whether vectors of output channels are filled better than vectors of positions would be, and sums long
/// enough to transpose them afterwards.
bool conv_channels_pay(const ConvPass<float>& pass);

/// A direct pass by vectors of output channels: blocks of neighbouring outputs of a row by vectors of
/// channels, whose sums are transposed at the end; f32 alone. Rows of any width fill the lanes.
void conv_by_channels(const ConvPass<float>& pass);

}  // namespace evenkeel::kernels
