#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/pool_fold.h>
#include <evenkeel/core/kernels/pool_windows.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace evenkeel::kernels {

namespace {

template <class T>
struct Sum {
  using Element = T;
  using Values = typename Simd<T>::Vector;
  static constexpr T kEmpty = 0;
  static constexpr bool kPlaces = false, kMean = true;

  void offer(const Sum& next) { value += next.value; }

  template <int kFirst>
  Sum turned() const {
    return {joined<T, kFirst>(value, value)};
  }

  Values value;
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
  if (w.out[2] > 0 && w.in[2] % w.out[2] == 0) w.kernel = w.stride = w.in[2] / w.out[2];
  return w;
}

/// Whether there is one window, of all cells.
bool takes_whole_planes(const Windows& w) {
  return product(w.out) == 1 &&
         std::all_of(w.axis.begin(), w.axis.end(), [&, in = w.in.begin()](const auto& axis) mutable {
           return axis[0].begin == 0 && axis[0].end == *in++;
         });
}

/// By how much a cell counts in the mean over whole planes.
template <class T>
T share_of_cell(const Windows& w) {
  return T(1) / static_cast<T>(w.axis[0][0].counted * w.axis[1][0].counted * w.axis[2][0].counted);
}

template <class T>
void average_forward(const Windows& windows, std::int64_t planes, const T* x, T* y) {
  const std::int64_t in_cells = product(windows.in), out_cells = product(windows.out);
  if (takes_whole_planes(windows))
    return sum_axis(planes, in_cells, 1, share_of_cell<T>(windows), x, T(0), y);
  const PoolFold<Sum<T>> fold(windows);
  detail::parallel_shares(planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    fold.run(end - begin, x + begin * in_cells, y + begin * out_cells, nullptr);
  });
}

/// Spreads the gradients of means over the cells of planes, the forward pass the other way: each row of
/// windows along its columns, then the rows of windows that hold a row of cells are added up as wholes.
template <class T>
class PoolSpread {
 public:
  explicit PoolSpread(const Windows& w)
      : w_(w),
        by_stride_(w.stride < std::ssize(kSpread) ? w.stride : 0),
        before_(by_stride_ > 0 ? w.kernel / by_stride_ + 1 : 0),
        pitch_(pitch_of_lines()),
        rows_{holders_of(w.axis[0], w.in[0]), holders_of(w.axis[1], w.in[1])} {
    for (const Window& window : w.axis[2]) counted_.push_back(static_cast<T>(window.counted));
    counted_.resize(counted_.size() + S::kLanes, T(1));
  }

  /// For `planes` planes: gx = the spread of gy + beta * gx.
  void run(std::int64_t planes, const T* gy, T* gx, T beta) const {
    const std::int64_t behind = by_stride_ > 0 ? (w_.in[2] + w_.padding) / by_stride_ : 0;
    ScratchVector<T> shares(static_cast<std::size_t>(before_ + std::max(w_.out[2], behind) + 2 * S::kLanes));
    ScratchVector<T> lines(static_cast<std::size_t>(w_.out[0] * w_.out[1] * pitch_));
    for (; planes > 0; --planes) {
      T* line = lines.data();
      for (const Window& d : w_.axis[0])
        for (const Window& h : w_.axis[1]) {
          divide(static_cast<T>(d.counted * h.counted), gy, shares.data() + before_);
          (this->*kSpread[by_stride_])(shares.data() + before_, line);
          gy += w_.out[2];
          line += pitch_;
        }
      for (const Holders& d : rows_[0])
        for (const Holders& h : rows_[1]) {
          add_lines(d, h, lines.data() + w_.padding, gx, beta);
          gx += w_.in[2];
        }
    }
  }

 private:
  using S = Simd<T>;
  static constexpr std::int64_t kMostStride = 4;  ///< of windows whose shares are spread in vectors

  /// Windows [begin, end) that hold a cell.
  struct Holders {
    std::int64_t begin, end;
  };

  static ScratchVector<Holders> holders_of(const ScratchVector<Window>& windows, std::int64_t cells) {
    ScratchVector<Holders> holders;
    holders.reserve(static_cast<std::size_t>(cells));
    Holders now{0, 0};
    const auto count = std::ssize(windows);
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      while (now.end < count && windows[now.end].begin <= cell) ++now.end;
      while (now.begin < now.end && windows[now.begin].end <= cell) ++now.begin;
      holders.push_back(now);
    }
    return holders;
  }

  /// Whole vectors of all strides, the padding before the first cell included.
  std::int64_t pitch_of_lines() const {
    const std::int64_t together = std::max<std::int64_t>(by_stride_, 1) * S::kLanes;
    return ceil_div(w_.padding + w_.in[2], together) * together + S::kLanes;
  }

  /// What a cell of each window gets.
  void divide(T rows, const T* gy, T* shares) const {
    for (std::int64_t o = 0; o < w_.out[2]; o += S::kLanes)
      S::store(shares + o, S::load_between(gy, o, 0, w_.out[2]) / (rows * S::load(counted_.data() + o)));
  }

  /// Vectors of evenly spaced windows: cell o * kStride + k takes the shares of windows o, o - 1 … that reach
  /// it. The line begins with the padding, around the shares are zeros.
  template <int kStride>
  void spread(const T* shares, T* line) const {
    const std::int64_t cells = w_.padding + w_.in[2];
    for (std::int64_t o = 0; o * kStride < cells; o += S::kLanes) {
      typename S::Vector parts[kStride] = {};
      for (std::int64_t k = 0, back = 0; k < w_.kernel; k += kStride, ++back) {
        const auto some = S::load(shares + o - back);
#pragma GCC unroll 4
        for (int i = 0; i < kStride; ++i)
          if (k + i < w_.kernel) parts[i] += some;
      }
      [&]<int... kPart>(std::integer_sequence<int, kPart...>) {
        (S::store(line + o * kStride + kPart * S::kLanes, woven<T, kPart>(parts)), ...);
      }
      (std::make_integer_sequence<int, kStride>{});
    }
  }

  /// One window after another, wherever they are.
  void spread_each(const T* shares, T* line) const {
    line += w_.padding;
    std::fill_n(line, w_.in[2], T(0));
    for (const Window& window : w_.axis[2]) {
      const T share = *shares++;
      for (std::int64_t k = window.begin; k < window.end; ++k) line[k] += share;
    }
  }

  /// gx = the lines of the rows of windows that hold a row + beta * gx.
  void add_lines(const Holders& d, const Holders& h, const T* lines, T* gx, T beta) const {
    const std::int64_t width = w_.in[2];
    const auto line = [&](std::int64_t i, std::int64_t j) { return lines + (i * w_.out[1] + j) * pitch_; };
    const auto store = [&](auto cells) {
      std::int64_t k = 0;
      for (; k + S::kLanes <= width; k += S::kLanes) {
        fetch_ahead<S::kLanes>(gx + k);
        S::store(gx + k, cells(k));
      }
      if (k < width) S::store_some(gx + k, cells(k), width - k);
    };
    if (d.end - d.begin == 1 && h.end - h.begin == 1 && beta == T(0))
      return store([only = line(d.begin, h.begin)](std::int64_t k) { return S::load(only + k); });
    store([&](std::int64_t k) {
      auto sum = beta == T(0) ? typename S::Vector{} : S::load_between(gx, k, 0, width);
      for (std::int64_t i = d.begin; i < d.end; ++i)
        for (std::int64_t j = h.begin; j < h.end; ++j) sum += S::load(line(i, j) + k);
      return sum;
    });
  }

  /// By stride.
  static constexpr std::array<void (PoolSpread::*)(const T*, T*) const, kMostStride + 1> kSpread{
      &PoolSpread::spread_each, &PoolSpread::spread<1>, &PoolSpread::spread<2>, &PoolSpread::spread<3>,
      &PoolSpread::spread<4>};

  const Windows& w_;
  std::int64_t by_stride_;  ///< of kSpread
  std::int64_t before_;     ///< windows that would begin before the first and reach it
  std::int64_t pitch_;      ///< of lines
  std::array<ScratchVector<Holders>, 2> rows_;
  ScratchVector<T> counted_;  ///< by each window of the columns
};

template <class T>
void average_backward(const Windows& windows, std::int64_t planes, const T* gy, T* gx, T beta) {
  const std::int64_t in_cells = product(windows.in), out_cells = product(windows.out);
  if (!takes_whole_planes(windows)) {
    const PoolSpread<T> spread(windows);
    return detail::parallel_shares(
        planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
          spread.run(end - begin, gy + begin * out_cells, gx + begin * in_cells, beta);
        });
  }
  const T share_of_one = share_of_cell<T>(windows);
  detail::parallel_shares(planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const T share = gy[plane] * share_of_one;
      T* in = gx + plane * in_cells;
      if (beta == T(0))
        std::fill_n(in, in_cells, share);
      else
        for (std::int64_t i = 0; i < in_cells; ++i) in[i] += share;
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
  average_forward(adaptive_windows(g), g.planes, x, y);
}

template <class T>
void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx, T beta) {
  average_backward(adaptive_windows(g), g.planes, gy, gx, beta);
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
