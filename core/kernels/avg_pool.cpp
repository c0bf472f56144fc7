#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/pool_windows.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <type_traits>

namespace evenkeel::kernels {

namespace {

/// The windows of the last axis, by their offsets where they are evenly spaced: loops over windows then
/// vectorise.
class Columns {
 public:
  explicit Columns(const Windows& w) : windows_(w.axis[2]), step_(w.stride), even_(w.stride > 0) {
    if (even_) offsets_.reserve(static_cast<std::size_t>(w.kernel));
    for (std::int64_t k = 0; even_ && k < w.kernel; ++k) {
      const std::int64_t offset = k * w.dilation - w.padding;
      offsets_.push_back({offset, inside(w.out[2], step_, offset, w.in[2])});
    }
  }

  /// out[o] = sum of row over window o.
  template <class T>
  void sum(const T* row, T* out) const {
    const auto count = static_cast<std::int64_t>(windows_.size());
    if (!even_) {
      for (std::int64_t o = 0; o < count; ++o) {
        const T* cells = row + windows_[o].begin;
        out[o] = sum_lanes<T>(windows_[o].end - windows_[o].begin, [=](std::int64_t k) { return cells[k]; });
      }
      return;
    }
    std::fill_n(out, count, T(0));
    each_offset([&](std::int64_t offset, std::int64_t begin, std::int64_t end, auto step) {
      for (std::int64_t o = begin; o < end; ++o) out[o] += row[o * step + offset];
    });
  }

  /// line[k] = sum of share over the windows that hold cell k.
  template <class T>
  void spread(const T* share, std::int64_t width, T* line) const {
    std::fill_n(line, width, T(0));
    for (std::size_t o = 0; !even_ && o < windows_.size(); ++o)
      for (std::int64_t k = windows_[o].begin; k < windows_[o].end; ++k) line[k] += share[o];
    each_offset([&](std::int64_t offset, std::int64_t begin, std::int64_t end, auto step) {
      for (std::int64_t o = begin; o < end; ++o) line[o * step + offset] += share[o];
    });
  }

  /// Calls f(offset, first window, end, step) for each cell of the window, the step a constant where it is 1
  /// or 2.
  template <class F>
  void each_offset(F&& f) const {
    for (const auto& [offset, range] : offsets_) {
      if (step_ == 1)
        f(offset, range.begin, range.end, std::integral_constant<std::int64_t, 1>{});
      else if (step_ == 2)
        f(offset, range.begin, range.end, std::integral_constant<std::int64_t, 2>{});
      else
        f(offset, range.begin, range.end, step_);
    }
  }

 private:
  struct Offset {
    std::int64_t offset;
    IndexRange range;
  };

  const ScratchVector<Window>& windows_;
  std::int64_t step_;
  bool even_;
  ScratchVector<Offset> offsets_;
};

Windows adaptive_windows(const PoolGeometry& g) {
  Windows w;
  w.in = as_volume(g.rank, g.in, 1);
  w.out = as_volume(g.rank, g.out, 1);
  for (int a = 0; a < 3; ++a) {
    w.axis[a].reserve(static_cast<std::size_t>(w.out[a]));
    for (std::int64_t o = 0; o < w.out[a]; ++o) {
      const std::int64_t begin = o * w.in[a] / w.out[a];
      const std::int64_t end = ceil_div((o + 1) * w.in[a], w.out[a]);
      w.axis[a].push_back({begin, end, 1, end - begin});
    }
  }
  return w;
}

/// Calls f(first cell) for the rows of a window.
template <class F>
void each_window_row(const Windows& windows, const Window& d, const Window& h, F&& f) {
  for (std::int64_t i = d.begin; i < d.end; ++i)
    for (std::int64_t j = h.begin; j < h.end; ++j) f((i * windows.in[1] + j) * windows.in[2]);
}

/// Sums of windows: the rows of a window are added up as wholes, then the cells that lie in its columns.
template <class T>
void average_forward(const Windows& windows, std::int64_t planes, const T* x, T* y) {
  const std::int64_t width = windows.in[2];
  const std::int64_t out_width = windows.out[2];
  const Columns columns(windows);
  detail::parallel_ranges(planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> rows(static_cast<std::size_t>(width));
    T* sum = rows.data();
    T* out = y + begin * product(windows.out);
    for (std::int64_t plane = begin; plane < end; ++plane)
      for (const Window& d : windows.axis[0])
        for (const Window& h : windows.axis[1]) {
          std::fill_n(sum, width, T(0));
          each_window_row(windows, d, h, [&](std::int64_t first) {
            const T* row = x + plane * product(windows.in) + first;
            for (std::int64_t k = 0; k < width; ++k) sum[k] += row[k];
          });
          columns.sum(sum, out);
          const std::int64_t counted = d.counted * h.counted;
          for (std::int64_t o = 0; o < out_width; ++o)
            out[o] /= static_cast<T>(counted * windows.axis[2][o].counted);
          out += out_width;
        }
  });
}

/// The forward pass the other way: each window's share along the columns, then into the rows as wholes.
template <class T>
void average_backward(const Windows& windows, std::int64_t planes, const T* gy, T* gx, T beta) {
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t width = windows.in[2];
  const std::int64_t out_width = windows.out[2];
  const Columns columns(windows);
  detail::parallel_ranges(planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> shares(static_cast<std::size_t>(out_width)), line(static_cast<std::size_t>(width));
    T* share = shares.data();
    T* cells = line.data();
    const T* out = gy + begin * product(windows.out);
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* in = gx + plane * in_cells;
      if (beta == T(0)) std::fill_n(in, in_cells, T(0));
      for (const Window& d : windows.axis[0])
        for (const Window& h : windows.axis[1]) {
          const std::int64_t counted = d.counted * h.counted;
          for (std::int64_t o = 0; o < out_width; ++o)
            share[o] = out[o] / static_cast<T>(counted * windows.axis[2][o].counted);
          columns.spread(share, width, cells);
          each_window_row(windows, d, h, [&](std::int64_t first) {
            for (std::int64_t k = 0; k < width; ++k) in[first + k] += cells[k];
          });
          out += out_width;
        }
    }
  });
}

}  // namespace

template <class T>
void avg_pool_forward(const PoolGeometry& g, bool count_include_pad, const T* x, T* y) {
  average_forward(windows_of(g, count_include_pad), g.planes, x, y);
}

template <class T>
void avg_pool_backward(const PoolGeometry& g, bool count_include_pad, const T* gy, T* gx, T beta) {
  average_backward(windows_of(g, count_include_pad), g.planes, gy, gx, beta);
}

template <class T>
void adaptive_avg_pool_forward(const PoolGeometry& g, const T* x, T* y) {
  const Windows windows = adaptive_windows(g);
  const std::int64_t cells = product(windows.in);
  if (product(windows.out) == 1)
    return sum_axis(g.planes, cells, 1, T(1) / static_cast<T>(cells), x, T(0), y);
  average_forward(windows, g.planes, x, y);
}

template <class T>
void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx, T beta) {
  const Windows windows = adaptive_windows(g);
  if (product(windows.out) != 1) return average_backward(windows, g.planes, gy, gx, beta);
  const std::int64_t cells = product(windows.in);
  detail::parallel_ranges(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T share = gy[plane] / static_cast<T>(cells);
      T* in = gx + plane * cells;
      if (beta == T(0))
        std::fill_n(in, cells, share);
      else
        for (std::int64_t i = 0; i < cells; ++i) in[i] += share;
    }
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                \
  template void avg_pool_forward(const PoolGeometry&, bool, const T*, T*);     \
  template void avg_pool_backward(const PoolGeometry&, bool, const T*, T*, T); \
  template void adaptive_avg_pool_forward(const PoolGeometry&, const T*, T*);  \
  template void adaptive_avg_pool_backward(const PoolGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
