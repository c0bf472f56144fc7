#include <evenkeel/core/kernels/conv_gemm.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kTileBytes = 1 << 19;  ///< columns kept at a time: half of an L2 cache

struct Plan {
  explicit Plan(const ConvGeometry& geometry, std::size_t element)
      : g(geometry),
        in(as_volume(g.rank, g.in, 1)),
        kernel(as_volume(g.rank, g.kernel, 1)),
        out(as_volume(g.rank, g.out, 1)),
        stride(as_volume(g.rank, g.stride, 1)),
        dilation(as_volume(g.rank, g.dilation, 1)),
        padding(as_volume(g.rank, g.padding, 0)),
        in_cells(product(in)),
        out_cells(product(out)),
        in_group(g.in_channels / g.groups),
        out_group(g.out_channels / g.groups),
        rows(in_group * product(kernel)) {
    const std::int64_t fits =
        kTileBytes / (static_cast<std::int64_t>(element) * std::max<std::int64_t>(rows, 1));
    tile = std::clamp<std::int64_t>(fits / 64 * 64, 64, std::max<std::int64_t>(out_cells, 64));
  }

  /// Calls f(row of the columns, input row or -1, first input column, first tile column, columns) for every
  /// run of outputs [begin, end) that lies in one row of the output; channels [first, last) of the group.
  template <class F>
  void runs(std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end, F&& f) const {
    std::int64_t row = 0;
    for (std::int64_t c = first; c < last; ++c)
      for (std::int64_t kd = 0; kd < kernel[0]; ++kd)
        for (std::int64_t kh = 0; kh < kernel[1]; ++kh)
          for (std::int64_t kw = 0; kw < kernel[2]; ++kw, ++row)
            for (std::int64_t p = begin; p < end;) {
              const std::int64_t ow = p % out[2];
              const std::int64_t oh = p / out[2] % out[1];
              const std::int64_t od = p / (out[2] * out[1]);
              const std::int64_t count = std::min(out[2] - ow, end - p);
              const std::int64_t id = od * stride[0] + kd * dilation[0] - padding[0];
              const std::int64_t ih = oh * stride[1] + kh * dilation[1] - padding[1];
              const std::int64_t iw = ow * stride[2] + kw * dilation[2] - padding[2];
              const bool in_range = id >= 0 && id < in[0] && ih >= 0 && ih < in[1];
              f(row, in_range ? (c * in[0] + id) * in[1] + ih : -1, iw, p - begin, count);
              p += count;
            }
  }

  /// Columns [begin, end) of the column matrix of the image x (in_group channels).
  template <class T>
  void gather(const T* x, std::int64_t begin, std::int64_t end, T* columns) const {
    const std::int64_t ld = end - begin;
    runs(0, in_group, begin, end,
         [&](std::int64_t row, std::int64_t source, std::int64_t iw, std::int64_t at, std::int64_t count) {
           T* to = columns + row * ld + at;
           const IndexRange hit = source < 0 ? IndexRange{0, 0} : inside(count, stride[2], iw, in[2]);
           const T* from = x + source * in[2] + iw;
           std::fill(to, to + hit.begin, T(0));
           for (std::int64_t i = hit.begin; i < hit.end; ++i) to[i] = from[i * stride[2]];
           std::fill(to + hit.end, to + count, T(0));
         });
  }

  /// Adjoint of gather for channels [first, last): `x` points at channel 0 of the group.
  template <class T>
  void scatter(const T* columns, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end,
               T* x) const {
    const std::int64_t ld = end - begin;
    runs(first, last, begin, end,
         [&](std::int64_t row, std::int64_t target, std::int64_t iw, std::int64_t at, std::int64_t count) {
           if (target < 0) return;
           const T* from = columns + row * ld + at;
           const IndexRange hit = inside(count, stride[2], iw, in[2]);
           T* to = x + target * in[2] + iw;
           for (std::int64_t i = hit.begin; i < hit.end; ++i) to[i * stride[2]] += from[i];
         });
  }

  const ConvGeometry& g;
  Sizes3 in, kernel, out, stride, dilation, padding;
  std::int64_t in_cells, out_cells, in_group, out_group, rows, tile;
};

}  // namespace

template <class T>
void conv_gemm_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Plan plan(g, sizeof(T));
  const std::int64_t tiles = ceil_div(plan.out_cells, plan.tile);
  detail::parallel_for(g.batch * g.groups * tiles, [&](std::int64_t piece) {
    const std::int64_t image = piece / tiles;  // n * groups + group
    const std::int64_t begin = piece % tiles * plan.tile;
    const std::int64_t end = std::min(begin + plan.tile, plan.out_cells);
    const std::int64_t group = image % g.groups;
    T* out = y + image * plan.out_group * plan.out_cells + begin;
    for (std::int64_t c = 0; c < plan.out_group; ++c)
      std::fill_n(out + c * plan.out_cells, end - begin,
                  bias != nullptr ? bias[group * plan.out_group + c] : T(0));
    detail::Workspace<T> columns(static_cast<std::size_t>(plan.rows * (end - begin)));
    plan.gather(x + image * plan.in_group * plan.in_cells, begin, end, columns.data());
    gemm(false, false, plan.out_group, end - begin, plan.rows, T(1), w + group * plan.out_group * plan.rows,
         plan.rows, columns.data(), end - begin, T(1), out, plan.out_cells);
  });
}

template <class T>
void conv_gemm_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  const Plan plan(g, sizeof(T));
  // Channels are independent: cut them when the batch alone gives few pieces.
  const std::int64_t images = g.batch * g.groups;
  const std::int64_t cuts = std::clamp<std::int64_t>(16 / std::max<std::int64_t>(images, 1), 1,
                                                     std::max<std::int64_t>(plan.in_group / 8, 1));
  const std::int64_t chunk = ceil_div(plan.in_group, cuts);
  const std::int64_t taps = product(plan.kernel);
  detail::parallel_for(images * cuts, [&](std::int64_t piece) {
    const std::int64_t image = piece / cuts;
    const std::int64_t first = piece % cuts * chunk;
    const std::int64_t last = std::min(first + chunk, plan.in_group);
    if (first >= last) return;
    T* in = gx + image * plan.in_group * plan.in_cells;
    if (beta == T(0)) std::fill(in + first * plan.in_cells, in + last * plan.in_cells, T(0));
    const T* weight = w + image % g.groups * plan.out_group * plan.rows + first * taps;
    detail::Workspace<T> columns(static_cast<std::size_t>((last - first) * taps * plan.tile));
    for (std::int64_t begin = 0; begin < plan.out_cells; begin += plan.tile) {
      const std::int64_t end = std::min(begin + plan.tile, plan.out_cells);
      gemm(true, false, (last - first) * taps, end - begin, plan.out_group, T(1), weight, plan.rows,
           gy + image * plan.out_group * plan.out_cells + begin, plan.out_cells, T(0), columns.data(),
           end - begin);
      plan.scatter(columns.data(), first, last, begin, end, in);
    }
  });
}

template <class T>
void conv_gemm_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  const Plan plan(g, sizeof(T));
  const std::int64_t tiles = ceil_div(plan.out_cells, plan.tile);
  const std::int64_t count = g.out_channels * plan.rows;
  const std::int64_t work = g.batch * tiles;
  const std::int64_t pieces = std::min<std::int64_t>(work, 16);
  detail::Workspace<T> partial(static_cast<std::size_t>(pieces * count));
  detail::parallel_for(pieces * g.groups, [&](std::int64_t index) {
    const std::int64_t piece = index / g.groups;
    const std::int64_t group = index % g.groups;
    T* sum = partial.data() + piece * count + group * plan.out_group * plan.rows;
    detail::Workspace<T> columns(static_cast<std::size_t>(plan.rows * plan.tile));
    const std::int64_t first = work * piece / pieces;
    const std::int64_t last = work * (piece + 1) / pieces;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t image = i / tiles * g.groups + group;
      const std::int64_t begin = i % tiles * plan.tile;
      const std::int64_t end = std::min(begin + plan.tile, plan.out_cells);
      plan.gather(x + image * plan.in_group * plan.in_cells, begin, end, columns.data());
      gemm(false, true, plan.out_group, plan.rows, end - begin, T(1),
           gy + image * plan.out_group * plan.out_cells + begin, plan.out_cells, columns.data(), end - begin,
           i == first ? T(0) : T(1), sum, plan.rows);
    }
  });
  sum_axis(1, pieces, count, T(1), partial.data(), beta, gw);
}

#define EVENKEEL_INSTANTIATE(T)                                                           \
  template void conv_gemm_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_gemm_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void conv_gemm_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
