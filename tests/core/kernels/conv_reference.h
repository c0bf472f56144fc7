#pragma once

#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/spatial.h>

#include <vector>

namespace evenkeel::test {

/// Calls f(index in x, index in w, index in y) for every product that a convolution sums: slow and obvious.
template <class F>
void for_each_product(const kernels::ConvGeometry& g, F&& f) {
  using kernels::as_volume;
  const auto in = as_volume(g.rank, g.in, 1), kernel = as_volume(g.rank, g.kernel, 1),
             out = as_volume(g.rank, g.out, 1);
  const auto stride = as_volume(g.rank, g.stride, 1), dilation = as_volume(g.rank, g.dilation, 1);
  const auto padding = as_volume(g.rank, g.padding, 0);
  const std::int64_t in_group = g.in_channels / g.groups, out_group = g.out_channels / g.groups;
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t o = 0; o < g.out_channels; ++o)
      for (std::int64_t c = 0; c < in_group; ++c)
        for (std::int64_t kd = 0; kd < kernel[0]; ++kd)
          for (std::int64_t kh = 0; kh < kernel[1]; ++kh)
            for (std::int64_t kw = 0; kw < kernel[2]; ++kw)
              for (std::int64_t od = 0; od < out[0]; ++od)
                for (std::int64_t oh = 0; oh < out[1]; ++oh)
                  for (std::int64_t ow = 0; ow < out[2]; ++ow) {
                    const std::int64_t d = od * stride[0] + kd * dilation[0] - padding[0];
                    const std::int64_t h = oh * stride[1] + kh * dilation[1] - padding[1];
                    const std::int64_t w = ow * stride[2] + kw * dilation[2] - padding[2];
                    if (d < 0 || d >= in[0] || h < 0 || h >= in[1] || w < 0 || w >= in[2]) continue;
                    const std::int64_t channel = o / out_group * in_group + c;
                    f((((n * g.in_channels + channel) * in[0] + d) * in[1] + h) * in[2] + w,
                      (((o * in_group + c) * kernel[0] + kd) * kernel[1] + kh) * kernel[2] + kw,
                      (((n * g.out_channels + o) * out[0] + od) * out[1] + oh) * out[2] + ow);
                  }
}

inline std::int64_t x_count(const kernels::ConvGeometry& g) {
  return g.batch * g.in_channels * kernels::product(kernels::as_volume(g.rank, g.in, 1));
}
inline std::int64_t w_count(const kernels::ConvGeometry& g) {
  return g.out_channels * (g.in_channels / g.groups) *
         kernels::product(kernels::as_volume(g.rank, g.kernel, 1));
}
inline std::int64_t y_count(const kernels::ConvGeometry& g) {
  return g.batch * g.out_channels * kernels::product(kernels::as_volume(g.rank, g.out, 1));
}

/// Geometry with `out` from the usual formula and the same padding on both sides.
struct ConvCase {
  int rank;
  std::int64_t batch, in_channels, out_channels, groups;
  kernels::Sizes3 in, kernel, stride, dilation, padding;
  kernels::Sizes3 extra{0, 0, 0};  ///< more padding on the right, which may be negative

  kernels::ConvGeometry geometry() const {
    kernels::ConvGeometry g{rank,   batch,     in_channels, out_channels, groups, in,
                            kernel, {1, 1, 1}, stride,      dilation,     padding};
    for (int i = 0; i < rank; ++i)
      g.out[i] = (in[i] + 2 * padding[i] + extra[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
    return g;
  }
};

}  // namespace evenkeel::test
