#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/kernels/upsample.h>
#include <evenkeel/core/kernels/upsample_rows.h>
#include <evenkeel/core/kernels/upsample_taps.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// The taps of each axis of a volume.
template <class T>
struct Axes {
  /// make_taps(in, out, scale) of an axis; those before the axes of `g` have one cell.
  template <class MakeTaps>
  Axes(const UpsampleGeometry& g, MakeTaps&& make_taps)
      : in(as_volume(g.rank, g.in, 1)), out(as_volume(g.rank, g.out, 1)) {
    for (int axis = 0; axis < 3; ++axis) {
      const int own = axis - (3 - g.rank);
      taps.push_back(make_taps(in[axis], out[axis], own >= 0 ? g.scale[own] : 0));
    }
  }

  Sizes3 in, out;
  std::vector<upsample::Taps<T>> taps;
};

template <class T>
Axes<T> nearest(const UpsampleGeometry& g) {
  return {g, upsample::nearest_taps<T>};
}

template <class T>
Axes<T> linear(const UpsampleGeometry& g) {
  return {g, [&](std::int64_t in, std::int64_t out, double scale) {
            return upsample::linear_taps<T>(in, out, scale, g.align_corners);
          }};
}

template <class F>
void each_plane(const UpsampleGeometry& g, const Sizes3& out, F&& f) {
  constexpr std::int64_t kCells = 1 << 14;  ///< worth a piece
  const std::int64_t grain = std::max<std::int64_t>(1, kCells / std::max<std::int64_t>(product(out), 1));
  detail::parallel_shares(g.planes, grain, std::forward<F>(f));
}

/// First across the rows of cells, then along what that makes; an output row of copies from the one before.
template <class T>
void forward(const UpsampleGeometry& g, const Axes<T>& axes, const T* x, T* y) {
  const std::int64_t depth = axes.out[0], height = axes.out[1], width = axes.out[2];
  const upsample::Taps<T>&along = axes.taps[0], &down = axes.taps[1];
  const upsample::RowMix<T> mix(axes.taps[2], axes.in[2]);
  each_plane(g, axes.out, [&](std::int64_t begin, std::int64_t end) {
    ScratchVector<T> scratch(static_cast<std::size_t>(mix.room()));
    T* out = y + begin * product(axes.out);
    for (std::int64_t plane = begin; plane < end; ++plane)
      for (std::int64_t d = 0; d < depth; ++d)
        for (std::int64_t h = 0; h < height; ++h, out += width) {
          if (down.repeats(h)) {
            std::copy_n(out - width, width, out);
            continue;
          }
          if (along.repeats(d)) {
            std::copy_n(out - height * width, width, out);
            continue;
          }
          const std::int64_t row = (plane * axes.in[0] + along.first[d]) * axes.in[1] + down.first[h];
          const T* cells = x + row * axes.in[2];
          upsample::WeightedRow<T> rows[4] = {{cells, along.near[d] * down.near[h]}};
          std::int64_t count = 1;
          const auto add = [&](std::int64_t at, T weight) {
            if (weight != T(0)) rows[count++] = {cells + at * axes.in[2], weight};
          };
          add(1, along.near[d] * down.far[h]);
          add(axes.in[1], along.far[d] * down.near[h]);
          add(axes.in[1] + 1, along.far[d] * down.far[h]);
          mix.run(rows, count, scratch.data(), out);
        }
  });
}

/// First across the rows of outputs, then along what they add up to.
template <class T>
void backward(const UpsampleGeometry& g, const Axes<T>& axes, const T* gy, T* gx, T beta) {
  const std::int64_t depth = axes.in[0], height = axes.in[1], width = axes.in[2];
  const upsample::Readers<T> along(axes.taps[0], depth), down(axes.taps[1], height),
      across(axes.taps[2], width);
  const upsample::RowScatter<T> scatter(across, axes.out[2]);
  each_plane(g, axes.out, [&](std::int64_t begin, std::int64_t end) {
    ScratchVector<T> scratch(static_cast<std::size_t>(scatter.room()));
    ScratchVector<upsample::WeightedRow<T>> rows(static_cast<std::size_t>(along.most * down.most));
    T* to = gx + begin * product(axes.in);
    for (std::int64_t plane = begin; plane < end; ++plane)
      for (std::int64_t d = 0; d < depth; ++d)
        for (std::int64_t h = 0; h < height; ++h, to += width) {
          std::int64_t count = 0;
          for (std::int64_t i = 0; i < along.count[d]; ++i) {
            const std::int64_t row = (plane * axes.out[0] + along.first[d] + i) * axes.out[1] + down.first[h];
            const T* from = gy + row * axes.out[2];
            for (std::int64_t j = 0; j < down.count[h]; ++j, from += axes.out[2])
              rows[count++] = {from, along.weight(i)[d] * down.weight(j)[h]};
          }
          scatter.run(rows.data(), count, scratch.data(), to, beta != T(0));
        }
  });
}

}  // namespace

template <class T>
void upsample_nearest_forward(const UpsampleGeometry& g, const T* x, T* y) {
  forward(g, nearest<T>(g), x, y);
}

template <class T>
void upsample_nearest_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta) {
  backward(g, nearest<T>(g), gy, gx, beta);
}

template <class T>
void upsample_linear_forward(const UpsampleGeometry& g, const T* x, T* y) {
  forward(g, linear<T>(g), x, y);
}

template <class T>
void upsample_linear_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta) {
  backward(g, linear<T>(g), gy, gx, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                      \
  template void upsample_nearest_forward(const UpsampleGeometry&, const T*, T*);     \
  template void upsample_nearest_backward(const UpsampleGeometry&, const T*, T*, T); \
  template void upsample_linear_forward(const UpsampleGeometry&, const T*, T*);      \
  template void upsample_linear_backward(const UpsampleGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
