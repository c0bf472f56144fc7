#pragma once

#include <evenkeel/core/kernels/conv_pass.h>

namespace evenkeel::kernels {

/// Whether a pass is done best as one product of matrices over columns of gathered cells: many output
/// channels for few outputs that read little padding, small planes of few images, or rows of outputs that
/// fill far fewer lanes than output channels do.
bool conv_columns_pay(const ConvPass<float>& pass);

/// A pass as a product of matrices, im2col a few columns at a time: the source's channels are laid side by
/// side first, so that any stride, dilation and padding costs the same. The pass has one phase, of all taps.
void conv_by_columns(const ConvPass<float>& pass);

/// The same for the gradient of the weights.
bool conv_columns_weight_grad_pays(const ConvGeometry& g);
void conv_columns_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw, float beta);

/// The same for the gradient of the input, the other way round: products for every output and tap, added to
/// the cells they belong to. A convolution that reads few outputs of a wide input, without padding or with
/// large strides, is so spared the zeros that a turned one would multiply.
bool conv_columns_input_grad_pays(const ConvGeometry& g);
void conv_columns_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx, float beta);

}  // namespace evenkeel::kernels
