#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// Input cells begin, begin + step, … < end that output index o of one axis looks at, and how many count for
/// the mean.
struct Window {
  std::int64_t begin, end, step;
  std::int64_t counted;
};

struct Windows {
  Sizes3 in, out;
  std::array<std::vector<Window>, 3> axis;
  // Of the last axis; stride 0 where the windows are not evenly spaced.
  std::int64_t kernel = 0, stride = 0, dilation = 0, padding = 0;

  /// Calls f(flat output index, d, h, w windows) for the cells of one plane.
  template <class F>
  void each(F&& f) const {
    std::int64_t o = 0;
    for (const Window& d : axis[0])
      for (const Window& h : axis[1])
        for (const Window& w : axis[2]) f(o++, d, h, w);
  }
};

/// The windows of the last axis, by their offsets where they are evenly spaced: loops over windows then
/// vectorise.
class Columns {
 public:
  explicit Columns(const Windows& w) : windows_(w.axis[2]), step_(w.stride), even_(w.stride > 0) {
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

  const std::vector<Window>& windows_;
  std::int64_t step_;
  bool even_;
  std::vector<Offset> offsets_;
};

Windows windows_of(const PoolGeometry& g, bool count_padding) {
  Windows w;
  w.in = as_volume(g.rank, g.in, 1);
  w.out = as_volume(g.rank, g.out, 1);
  const Sizes3 kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 stride = as_volume(g.rank, g.stride, 1);
  const Sizes3 dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  w.kernel = kernel[2];
  w.stride = stride[2];
  w.dilation = dilation[2];
  w.padding = padding[2];
  for (int a = 0; a < 3; ++a) {
    for (std::int64_t o = 0; o < w.out[a]; ++o) {
      const std::int64_t start = o * stride[a] - padding[a];
      const IndexRange k = inside(kernel[a], dilation[a], start, w.in[a]);
      const std::int64_t padded_end = std::min(start + kernel[a], w.in[a] + padding[a]);
      const std::int64_t begin = start + k.begin * dilation[a];
      const std::int64_t end = k.end > k.begin ? start + (k.end - 1) * dilation[a] + 1 : begin;
      w.axis[a].push_back({begin, end, dilation[a], count_padding ? padded_end - start : k.end - k.begin});
    }
  }
  return w;
}

Windows adaptive_windows(const PoolGeometry& g) {
  Windows w;
  w.in = as_volume(g.rank, g.in, 1);
  w.out = as_volume(g.rank, g.out, 1);
  for (int a = 0; a < 3; ++a) {
    for (std::int64_t o = 0; o < w.out[a]; ++o) {
      const std::int64_t begin = o * w.in[a] / w.out[a];
      const std::int64_t end = ceil_div((o + 1) * w.in[a], w.out[a]);
      w.axis[a].push_back({begin, end, 1, end - begin});
    }
  }
  return w;
}

std::int64_t planes_a_piece(const Windows& windows) {
  const std::int64_t cells = std::max<std::int64_t>(std::max(product(windows.in), product(windows.out)), 1);
  return std::max<std::int64_t>(1, (1 << 14) / cells);
}

template <class F>
void each_plane(const Windows& windows, std::int64_t planes, F&& f) {
  detail::parallel_ranges(planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) f(plane);
  });
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

/// A vector of largest values so far and of their flat indices in the plane, which are as wide as T.
template <class T>
struct Best {
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Values = typename Simd<T>::Vector;
  using Places = typename Simd<Place>::Vector;

  /// Takes what is above; of several NaN the last; of equals the first in the plane.
  void offer(Values v, Places p) {
    const Places nan = reinterpret_cast<Places>(v != v);  // NOLINT(misc-redundant-expression)
    const Places number = reinterpret_cast<Places>(value == value);
    Places take = reinterpret_cast<Places>(v > value) | (nan & (number | (p > place)));
    take |= reinterpret_cast<Places>(v == value) & (p < place);
    value = take ? v : value;
    place = take ? p : place;
  }

  Values value;
  Places place;
};

/// Maxima of the windows of one plane after another.
template <class T>
class MaxPool {
 public:
  explicit MaxPool(const Windows& w)
      : w_(w),
        margin_(w.padding),
        length_(margin_ + std::max(w.in[2], (w.out[2] + S::kLanes) * w.stride + w.kernel * w.dilation) +
                2 * S::kLanes),
        value_(static_cast<std::size_t>(length_)),
        place_(static_cast<std::size_t>(length_)) {
    // Around the row lies padding: below all numbers, and behind all cells.
    std::fill_n(value_.data(), length_, -std::numeric_limits<T>::infinity());
    std::fill_n(place_.data(), length_, std::numeric_limits<Place>::max());
  }

  void run(const T* plane, T* out, std::int64_t* argmax) {
    for (const Window& d : w_.axis[0])
      for (const Window& h : w_.axis[1]) {
        best_of_rows(d, h, plane);
        best_of_columns(out, argmax);
        out += w_.out[2];
        if (argmax != nullptr) argmax += w_.out[2];
      }
  }

 private:
  using S = Simd<T>;
  using Place = typename Best<T>::Place;
  using P = Simd<Place>;

  /// The best of each column over the rows of a window.
  void best_of_rows(const Window& d, const Window& h, const T* plane) {
    const std::int64_t width = w_.in[2];
    T* value = value_.data() + margin_;
    Place* place = place_.data() + margin_;
    typename P::Vector lane;
    for (int i = 0; i < S::kLanes; ++i) lane[i] = static_cast<Place>(i);
    for (std::int64_t k = 0; k < width; k += S::kLanes) {
      const auto places = [&](std::int64_t row) { return lane + static_cast<Place>(row + k); };
      const std::int64_t first = (d.begin * w_.in[1] + h.begin) * width;
      Best<T> best{S::load_between(plane + first, k, 0, width), places(first)};
      for (std::int64_t i = d.begin; i < d.end; i += d.step)
        for (std::int64_t j = i == d.begin ? h.begin + h.step : h.begin; j < h.end; j += h.step) {
          const std::int64_t row = (i * w_.in[1] + j) * width;
          best.offer(S::load_between(plane + row, k, 0, width), places(row));
        }
      S::store_some(value + k, best.value, width - k);
      P::store_some(place + k, best.place, width - k);
    }
  }

  /// The best of each window's columns.
  void best_of_columns(T* out, std::int64_t* argmax) const {
    for (std::int64_t o = 0; o < w_.out[2]; o += S::kLanes) {
      Best<T> best = columns(o * w_.stride);
      for (std::int64_t k = 1; k < w_.kernel; ++k) {
        const Best<T> next = columns(o * w_.stride + k * w_.dilation);
        best.offer(next.value, next.place);
      }
      S::store_some(out + o, best.value, w_.out[2] - o);
      if (argmax == nullptr) continue;
      Place places[S::kLanes];
      P::store(places, best.place);
      std::copy_n(places, std::min<std::int64_t>(S::kLanes, w_.out[2] - o), argmax + o);
    }
  }

  /// Columns at, at + stride, at + 2 stride …, counted from the left margin on.
  Best<T> columns(std::int64_t at) const {
    const T* value = value_.data() + at;
    const Place* place = place_.data() + at;
    if (w_.stride == 1) return {S::load(value), P::load(place)};
    if (w_.stride == 2)
      return {evens<T>(S::load(value), S::load(value + S::kLanes)),
              evens<Place>(P::load(place), P::load(place + S::kLanes))};
    Best<T> best;
    for (int lane = 0; lane < S::kLanes; ++lane) {
      best.value[lane] = value[lane * w_.stride];
      best.place[lane] = place[lane * w_.stride];
    }
    return best;
  }

  const Windows& w_;
  std::int64_t margin_, length_;
  std::vector<T> value_;
  std::vector<Place> place_;
};

}  // namespace

template <class T>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, std::int64_t* argmax) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  detail::parallel_ranges(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    MaxPool<T> pool(windows);
    for (std::int64_t plane = begin; plane < end; ++plane)
      pool.run(x + plane * in_cells, y + plane * out_cells,
               argmax != nullptr ? argmax + plane * out_cells : nullptr);
  });
}

template <class T>
void max_pool_backward(const PoolGeometry& g, const T* gy, const std::int64_t* argmax, T* gx, T beta) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  each_plane(windows, g.planes, [&](std::int64_t plane) {
    T* in = gx + plane * in_cells;
    if (beta == T(0)) std::fill_n(in, in_cells, T(0));
    for (std::int64_t o = plane * out_cells; o < (plane + 1) * out_cells; ++o) in[argmax[o]] += gy[o];
  });
}

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
  average_backward(adaptive_windows(g), g.planes, gy, gx, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                               \
  template void max_pool_forward(const PoolGeometry&, const T*, T*, std::int64_t*);           \
  template void max_pool_backward(const PoolGeometry&, const T*, const std::int64_t*, T*, T); \
  template void avg_pool_forward(const PoolGeometry&, bool, const T*, T*);                    \
  template void avg_pool_backward(const PoolGeometry&, bool, const T*, T*, T);                \
  template void adaptive_avg_pool_forward(const PoolGeometry&, const T*, T*);                 \
  template void adaptive_avg_pool_backward(const PoolGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
