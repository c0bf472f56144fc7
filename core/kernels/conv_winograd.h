#pragma once

#include <evenkeel/core/kernels/conv.h>

namespace evenkeel::kernels {

/// Whether F(4, 3) along the last axis saves time: unit strides, three taps, five or more, enough cells, and
/// enough channels a group that transforms cost less than the products they save. Dilated rows in which
/// vectors find few neighbours need more channels; narrow rows that fill vectors together need few.
bool conv_winograd_pays(const ConvGeometry& g);
/// The same for the gradient of the weights, whose blocks take as many rows as there are channels.
bool conv_winograd_weight_grad_pays(const ConvGeometry& g);

/// Four neighbouring outputs of the last axis, or squares of 4 x 4 of the last two.
enum class WinogradForm { rows, squares };
/// Squares where taps are neighbours and enough products are spared, for all passes but the gradient of the
/// weights, for which more must be.
WinogradForm winograd_form(const ConvGeometry& g);
WinogradForm winograd_weight_grad_form(const ConvGeometry& g);

/// As conv_forward() and conv_input_grad(), where conv_winograd_pays(). Kernels of more than three taps are
/// taken apart into pieces of three, the other axes' taps are summed one by one.
void conv_winograd_forward(const ConvGeometry& g, WinogradForm form, const float* x, const float* w,
                           const float* bias, float* y);
void conv_winograd_input_grad(const ConvGeometry& g, WinogradForm form, const float* gy, const float* w,
                              float* gx, float beta);

void conv_winograd_weight_grad(const ConvGeometry& g, WinogradForm form, const float* x, const float* gy,
                               float* gw, float beta);

}  // namespace evenkeel::kernels
