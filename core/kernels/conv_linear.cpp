#include <evenkeel/core/kernels/conv_linear.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/spatial.h>

namespace evenkeel::kernels {

namespace {

/// Of a group: rows of the weights and their length; of all: rows of x and y.
struct Sides {
  explicit Sides(const ConvGeometry& g)
      : outs(g.out_channels / g.groups),
        length(g.in_channels / g.groups * product(as_volume(g.rank, g.in, 1))),
        x_row(g.groups * length),
        y_row(g.out_channels) {}
  std::int64_t outs, length, x_row, y_row;
};

}  // namespace

bool conv_is_linear(const ConvGeometry& g) {
  for (int axis = 0; axis < g.rank; ++axis) {
    const bool neighbours = g.dilation[axis] == 1 || g.kernel[axis] == 1;
    if (g.out[axis] != 1 || g.padding[axis] != 0 || g.kernel[axis] != g.in[axis] || !neighbours) return false;
  }
  return true;
}

template <class T>
void conv_linear_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Sides s(g);
  for (std::int64_t group = 0; group < g.groups; ++group)
    gemm_bias(g.batch, s.outs, s.length, x + group * s.length, s.x_row, w + group * s.outs * s.length,
              s.length, bias != nullptr ? bias + group * s.outs : nullptr, y + group * s.outs, s.y_row);
}

template <class T>
void conv_linear_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  const Sides s(g);
  for (std::int64_t group = 0; group < g.groups; ++group)
    gemm_parallel(false, false, g.batch, s.length, s.outs, T(1), gy + group * s.outs, s.y_row,
                  w + group * s.outs * s.length, s.length, beta, gx + group * s.length, s.x_row);
}

template <class T>
void conv_linear_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  const Sides s(g);
  for (std::int64_t group = 0; group < g.groups; ++group)
    gemm_parallel(true, false, s.outs, s.length, g.batch, T(1), gy + group * s.outs, s.y_row,
                  x + group * s.length, s.x_row, beta, gw + group * s.outs * s.length, s.length);
}

#define EVENKEEL_INSTANTIATE(T)                                                             \
  template void conv_linear_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_linear_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void conv_linear_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
