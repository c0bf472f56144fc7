#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/conv_channels.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_depthwise.h>
#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <type_traits>

namespace evenkeel::kernels {

// Axes that a kernel leaves alone are joined first: a pointwise convolution has one long axis. Which path is
// taken then, in this order:
// - Depthwise, all passes: conv_depthwise_lanes.cpp, vectors of channels, on planes too narrow for the other
//   two, which work on vectors of positions; at unit strides conv_depthwise_plane.cpp, each plane in a frame
//   of zeros; else conv_depthwise.cpp, which reads rows where they are.
// - Unit strides, three taps or more along the last axis, many channels, f32, all passes: conv_winograd.cpp
//   and conv_winograd_weight.cpp take four outputs from six products instead of twelve, of dilated rows (and
//   of k x 1 kernels, whose joined axes are such rows) too. A cell that is not finite may then spoil all
//   four outputs of a quadruple that reads it. f64 is left to the plain sums.
// - Pointwise, 64 channels or more, f32: conv_pointwise.cpp, one product of matrices over the cells of all
//   images (gemm_blocks.h); the gradient of the weights only where these are many, of strided ones that of
//   the input alone.
// - Rows of outputs too narrow to be vectors, few outputs of a wide input, f32: conv_columns.cpp, a product
// of
//   matrices over columns of gathered cells, and for the gradient of the input products added to their cells.
// - Forward, over padded tiles in L2: conv_channels.cpp, register blocks of positions by vectors of output
//   channels, where those fill the vectors better and sums are long, f32; else conv_direct.cpp, blocks of
//   output channels by vectors of positions.
// - Gradient of the input: the same, of gy, with the weights turned round, one phase a residue of the stride.
// - Gradient of the weights: conv_direct_weight.cpp, blocks of input channels by vectors of output channels;
//   conv_dot_weight.cpp where a group has few output channels, or one image or volume as its input: vectors
//   of positions.
// gemm_blocks.h multiplies packed matrices, conv_planes.h brings their results to the planes. conv_tile.h
// lays out the tiles and cuts the work for the threads, row_copy.h fills the tiles' rows (strided ones taken
// apart by vectors), conv_pack.h puts the weights in order, conv_micro.h has the innermost loops and the
// panels that many row blocks read, conv_pass.h brings results to their places. The direct paths serve
// strides, dilation, groups and ranks 1 to 3 alike; a transposed convolution is the gradient of the input.
namespace {

/// Whether vectors of positions beat vectors of output channels in a gradient of the weights: a group's
/// output channels would leave many lanes empty, and planes are long enough to fill the vectors otherwise.
bool conv_dot_pays(const ConvGeometry& g) {
  constexpr std::int64_t kVeryFew = 4, kFew = 10, kFewOfOnePlane = 16, kLongPlane = 100;
  const std::int64_t outs = g.out_channels / g.groups;
  return outs <= kVeryFew || (outs <= (g.in_channels == g.groups ? kFewOfOnePlane : kFew) &&
                              product(as_volume(g.rank, g.out, 1)) >= kLongPlane);
}

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
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise(g)) return conv_depthwise_forward(g, x, w, bias, y);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_winograd_pays(g)) return conv_winograd_forward(g, x, w, bias, y);
    if (conv_pointwise_pays(g)) return conv_pointwise_forward(g, x, w, bias, y);
  }
  if (g.batch * g.out_channels * product(as_volume(g.rank, g.out, 1)) > 0)
    run(forward_pass(g, x, w, bias, y));
}

template <class T>
void conv_input_grad(const ConvGeometry& geometry, const T* gy, const T* w, T* gx, T beta) {
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise(g)) return conv_depthwise_input_grad(g, gy, w, gx, beta);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_pointwise_input_grad_pays(g)) return conv_pointwise_input_grad(g, gy, w, gx, beta);
    if (conv_columns_input_grad_pays(g)) return conv_columns_input_grad(g, gy, w, gx, beta);
    if (conv_winograd_pays(g)) return conv_winograd_input_grad(g, gy, w, gx, beta);
  }
  if (g.batch * g.in_channels * product(as_volume(g.rank, g.in, 1)) > 0)
    run(input_grad_pass(g, gy, w, gx, beta));
}

template <class T>
void conv_weight_grad(const ConvGeometry& geometry, const T* x, const T* gy, T* gw, T beta) {
  const ConvGeometry g = with_axes_joined(geometry);
  if (conv_is_depthwise(g)) return conv_depthwise_weight_grad(g, x, gy, gw, beta);
  if constexpr (std::is_same_v<T, float>) {
    if (conv_winograd_pays(g)) return conv_winograd_weight_grad(g, x, gy, gw, beta);
    if (conv_pointwise_weight_grad_pays(g)) return conv_pointwise_weight_grad(g, x, gy, gw, beta);
    if (conv_columns_weight_grad_pays(g)) return conv_columns_weight_grad(g, x, gy, gw, beta);
  }
  if (conv_dot_pays(g)) return conv_dot_weight_grad(g, x, gy, gw, beta);
  conv_direct_weight_grad(g, x, gy, gw, beta);
}

template <class T>
void conv_bias_grad(const ConvGeometry& g, const T* gy, T* gb, T beta) {
  const std::int64_t dims[] = {g.batch, g.out_channels, product(as_volume(g.rank, g.out, 1))};
  const std::int64_t kept[] = {1, g.out_channels, 1};
  sum_to_shape(dims, kept, gy, beta, gb);
}

#define EVENKEEL_INSTANTIATE(T)                                                      \
  template void conv_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void conv_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);    \
  template void conv_bias_grad(const ConvGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
