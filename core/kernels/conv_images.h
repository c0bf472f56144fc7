#pragma once

#include <evenkeel/core/kernels/conv_pass.h>

namespace evenkeel::kernels {

/// Whether planes of a pass of `g` are so small, and images so many, that a block of outputs is best filled
/// with images.
bool conv_images_pay(const ConvGeometry& g, const ConvPass<float>& pass);

/// A pass over small planes: blocks of the same output of neighbouring images by vectors of output channels;
/// f32 alone. All outputs of a block read by the same taps, so padding costs nothing, nor do strides.
void conv_by_images(const ConvPass<float>& pass);

}  // namespace evenkeel::kernels
