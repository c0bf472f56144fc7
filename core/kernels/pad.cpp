#include <evenkeel/core/kernels/pad.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

/// For each output index of one axis, the input index it copies, or -1 for the constant.
ScratchVector<std::int64_t> source_of(std::int64_t in, std::int64_t before, std::int64_t after,
                                      PadFill fill) {
  ScratchVector<std::int64_t> source(
      static_cast<std::size_t>(std::max<std::int64_t>(before + in + after, 0)));
  for (std::int64_t o = 0; o < static_cast<std::int64_t>(source.size()); ++o) {
    std::int64_t i = o - before;
    if (i < 0 || i >= in) {
      switch (fill) {
        case PadFill::constant:
          i = -1;
          break;
        case PadFill::reflect:
          i = i < 0 ? -i : 2 * (in - 1) - i;
          break;
        case PadFill::replicate:
          i = i < 0 ? 0 : in - 1;
          break;
        case PadFill::circular:
          i = i < 0 ? i + in : i - in;
          break;
      }
    }
    source[static_cast<std::size_t>(o)] = i;
  }
  return source;
}

struct Maps {
  Maps(const PadGeometry& g, PadFill fill) : in(as_volume(g.rank, g.in, 1)) {
    const Sizes3 before = as_volume(g.rank, g.before, 0);
    const Sizes3 after = as_volume(g.rank, g.after, 0);
    for (int axis = 0; axis < 3; ++axis) {
      source[axis] = source_of(in[axis], before[axis], after[axis], fill);
      out[axis] = static_cast<std::int64_t>(source[axis].size());
    }
    // Input cells that map straight on: [left, right) of a row.
    left = std::clamp<std::int64_t>(before[2], 0, out[2]);
    right = std::clamp<std::int64_t>(before[2] + in[2], left, out[2]);
    shift = before[2];
  }

  /// Calls f(output row, input row or -1) for the rows of one plane.
  template <class F>
  void rows(F&& f) const {
    for (std::int64_t d = 0; d < out[0]; ++d)
      for (std::int64_t h = 0; h < out[1]; ++h) {
        const std::int64_t sd = source[0][d];
        const std::int64_t sh = source[1][h];
        f(d * out[1] + h, sd < 0 || sh < 0 ? -1 : sd * in[1] + sh);
      }
  }

  Sizes3 in, out;
  std::array<ScratchVector<std::int64_t>, 3> source;
  std::int64_t left, right, shift;
};

std::int64_t planes_grain(std::int64_t cells) {
  return std::max<std::int64_t>(1, (1 << 15) / std::max<std::int64_t>(cells, 1));
}

}  // namespace

template <class T>
void pad_forward(const PadGeometry& g, PadFill fill, T value, const T* x, T* y) {
  const Maps maps(g, fill);
  const std::int64_t in_cells = product(maps.in);
  const std::int64_t out_cells = product(maps.out);
  const auto& columns = maps.source[2];
  detail::parallel_shares(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      maps.rows([&](std::int64_t row, std::int64_t source_row) {
        T* out = y + plane * out_cells + row * maps.out[2];
        if (source_row < 0) {
          std::fill_n(out, maps.out[2], value);
          return;
        }
        const T* in = x + plane * in_cells + source_row * maps.in[2];
        const auto cell = [&](std::int64_t w) { return columns[w] < 0 ? value : in[columns[w]]; };
        for (std::int64_t w = 0; w < maps.left; ++w) out[w] = cell(w);
        std::copy(in + maps.left - maps.shift, in + maps.right - maps.shift, out + maps.left);
        for (std::int64_t w = maps.right; w < maps.out[2]; ++w) out[w] = cell(w);
      });
    }
  });
}

template <class T>
void pad_backward(const PadGeometry& g, PadFill fill, const T* gy, T* gx, T beta) {
  const Maps maps(g, fill);
  const std::int64_t in_cells = product(maps.in);
  const std::int64_t out_cells = product(maps.out);
  const auto& columns = maps.source[2];
  detail::parallel_shares(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* gx_plane = gx + plane * in_cells;
      if (beta == T(0)) std::fill_n(gx_plane, in_cells, T(0));
      maps.rows([&](std::int64_t row, std::int64_t source_row) {
        if (source_row < 0) return;
        const T* out = gy + plane * out_cells + row * maps.out[2];
        T* in = gx_plane + source_row * maps.in[2];
        const auto cell = [&](std::int64_t w) {
          if (columns[w] >= 0) in[columns[w]] += out[w];
        };
        for (std::int64_t w = 0; w < maps.left; ++w) cell(w);
        for (std::int64_t w = maps.left; w < maps.right; ++w) in[w - maps.shift] += out[w];
        for (std::int64_t w = maps.right; w < maps.out[2]; ++w) cell(w);
      });
    }
  });
}

#define EVENKEEL_INSTANTIATE(T)                                            \
  template void pad_forward(const PadGeometry&, PadFill, T, const T*, T*); \
  template void pad_backward(const PadGeometry&, PadFill, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
