#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// Whether a convolution multiplies channels only, cell by cell, and so many of them, or for so few cells,
/// that it is done best as one product of matrices: weights by the cells of all images.
bool conv_pointwise_pays(const ConvGeometry& g);
/// The same of the gradient of the input, also where strides leave cells out.
bool conv_pointwise_input_grad_pays(const ConvGeometry& g);

/// The same of the gradient of the weights, which has to turn both operands round: there must be many weights
/// for each cell.
bool conv_pointwise_weight_grad_pays(const ConvGeometry& g);

/// As conv_forward, conv_input_grad and conv_weight_grad.
void conv_pointwise_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                            float* y);
void conv_pointwise_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx, float beta);
void conv_pointwise_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                                float beta);

}  // namespace evenkeel::kernels
