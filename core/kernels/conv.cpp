#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/conv_channels.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_depthwise.h>
#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_images.h>
#include <evenkeel/core/kernels/conv_linear.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <type_traits>

namespace evenkeel::kernels {

// Which path a convolution takes. Axes that a kernel leaves alone are joined first: a pointwise convolution
// has one long axis. Then the first line that applies is taken; *_pays() in its file has the rule to the
// letter, with thresholds fitted to the times of every path over some thousand shapes on one machine.
//
//   y = forward, gx = gradient of the input, gw = gradient of the weights
//
//   y gx gw  conv_depthwise.h   a channel a group, 8 planes or more: small planes by vectors of channels
//                               (conv_depthwise_lanes.h), with a last stride up to 4; with 1 or 2 all others,
//                               several rows with unit strides in a frame of zeros that stays in the L2
//                               cache (conv_depthwise_plane.h), the rest by rows where they lie
//   y gx gw  conv_linear.h      a kernel that covers the whole input
//   y gx gw  conv_pointwise.h   one tap, many channels or few cells, also with strides; gw if weights are
//                               many
//   y gx     conv_images.h      small planes of many images, most where much of what outputs read is padding
//     gx     conv_columns.h     cells that few outputs read: without padding, large strides, few outputs
//   y gx gw  conv_winograd.h    unit strides, 3 taps or from 5 on along the last axis, 1 to 5 channels, for
//                               gw 4, where products spared cost more than transforms; gw not where
//                               conv_dot_weight_grad() is taken. Squares of outputs of the last two axes
//                               (winograd_form()) where they spare enough more: without dilation, 24
//                               channels or more, for gw 32, and 64 squares, or 24 of many channels
//   y gx gw  conv_columns.h     y, and gx with unit strides: many output channels for few outputs, small
//                               planes, rows that fill far fewer lanes; gw: many weights, narrow rows
//   y gx     conv_channels.h    output channels fill the lanes better than positions, or nearly as well and
//                               cells lie a stride apart
//   y gx     conv_direct.h      all others
//      gw    conv_direct.h      conv_dot_weight_grad() for up to 4 output channels a group, 12 on long planes
//      gw    conv_direct.h      conv_direct_weight_grad() for all others
//
// f64 has the first two lines and the last three. Images, pointwise and columns are taken with 512-bit
// vectors alone (kWidePaths), the last two as products of matrices (gemm_blocks.h); depthwise and images read
// planes, the other paths but the linear one read shifted views of padded tiles. A cell that is not finite
// may spoil all outputs of the quadruples or squares that Winograd's F(4, 3) computes from it, and gradients
// of weights that it would not have met: lanes behind a row's end multiply zeros by cells. A transposed
// convolution is the gradient of the input.
//
// conv_tile.h lays out the tiles and cuts the work for the threads, row_copy.h fills their rows, conv_pack.h
// puts the weights in order, conv_micro.h has the innermost loops, conv_pass.h brings results to their
// places, conv_runs.h lists what a gradient of the weights reads; conv_cells.h lays channels side by side,
// conv_planes.h brings products to the planes.
namespace {

/// The same convolution with fewer axes: an axis of kernel 1 that is left as it is joins the one before it,
/// whose cells then lie that much farther apart.
ConvGeometry with_axes_joined(ConvGeometry g) {
  for (int axis = g.rank - 1; axis > 0; --axis) {
    const int before = axis - 1;
    if (g.kernel[axis] != 1 || g.stride[axis] != 1 || g.padding[axis] != 0 || g.in[axis] != g.out[axis] ||
        g.stride[before] != 1)
      continue;
    for (auto* sizes : {&g.in, &g.out, &g.padding, &g.dilation}) (*sizes)[before] *= g.in[axis];
    for (auto* sizes : {&g.in, &g.out, &g.kernel, &g.stride, &g.dilation, &g.padding})
      std::copy(sizes->begin() + axis + 1, sizes->end(), sizes->begin() + axis);
    --g.rank;
  }
  return g;
}

bool has_inputs(const ConvGeometry& g) { return g.batch * product(as_volume(g.rank, g.in, 1)) > 0; }
bool has_outputs(const ConvGeometry& g) { return g.batch * product(as_volume(g.rank, g.out, 1)) > 0; }

std::int64_t weights_of(const ConvGeometry& g) {
  return g.out_channels * (g.in_channels / g.groups) * product(as_volume(g.rank, g.kernel, 1));
}

template <class T>
void run(const ConvPass<T>& pass) {
  if constexpr (std::is_same_v<T, float>) {
    if (conv_columns_pay(pass)) return conv_by_columns(pass);
    if (conv_channels_pay(pass)) return conv_by_channels(pass);
  }
  conv_direct(pass);
}

}  // namespace

template <class T>
void conv_forward(const ConvGeometry& geometry, const T* x, const T* w, const T* bias, T* y) {
  if (!has_outputs(geometry)) return;
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise<T>(g)) return conv_depthwise_forward(g, x, w, bias, y);
  if (conv_is_linear(g)) return conv_linear_forward(g, x, w, bias, y);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_pointwise_pays(g)) return conv_pointwise_forward(g, x, w, bias, y);
  }
  const auto pass = forward_pass(g, x, w, bias, y);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_images_pay(g, pass)) return conv_by_images(pass);
    if (conv_winograd_pays(g)) return conv_winograd_forward(g, winograd_form(g), x, w, bias, y);
  }
  run(pass);
}

template <class T>
void conv_input_grad(const ConvGeometry& geometry, const T* gy, const T* w, T* gx, T beta) {
  if (!has_inputs(geometry)) return;
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise<T>(g)) return conv_depthwise_input_grad(g, gy, w, gx, beta);
  if (conv_is_linear(g)) return conv_linear_input_grad(g, gy, w, gx, beta);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_pointwise_input_grad_pays(g)) return conv_pointwise_input_grad(g, gy, w, gx, beta);
  }
  const auto pass = input_grad_pass(g, gy, w, gx, beta);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_images_pay(g, pass)) return conv_by_images(pass);
    if (conv_columns_input_grad_pays(g)) return conv_columns_input_grad(g, gy, w, gx, beta);
    if (conv_winograd_pays(g)) return conv_winograd_input_grad(g, winograd_form(g), gy, w, gx, beta);
  }
  run(pass);
}

template <class T>
void conv_weight_grad(const ConvGeometry& geometry, const T* x, const T* gy, T* gw, T beta) {
  if (!has_inputs(geometry) || !has_outputs(geometry)) {
    if (beta == T(0)) std::fill_n(gw, weights_of(geometry), T(0));
    return;
  }
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise<T>(g)) return conv_depthwise_weight_grad(g, x, gy, gw, beta);
  if (conv_is_linear(g)) return conv_linear_weight_grad(g, x, gy, gw, beta);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_pointwise_weight_grad_pays(g)) return conv_pointwise_weight_grad(g, x, gy, gw, beta);
    if (!conv_dot_weight_grad_pays(g) && conv_winograd_weight_grad_pays(g))
      return conv_winograd_weight_grad(g, winograd_weight_grad_form(g), x, gy, gw, beta);
    if (conv_columns_weight_grad_pays(g)) return conv_columns_weight_grad(g, x, gy, gw, beta);
  }
  if (conv_dot_weight_grad_pays(g)) return conv_dot_weight_grad(g, x, gy, gw, beta);
  conv_direct_weight_grad(g, x, gy, gw, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                      \
  template void conv_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void conv_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
