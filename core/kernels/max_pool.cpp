#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/pool_windows.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// A vector of largest values so far.
template <class T>
struct BestValue {
  using Values = typename Simd<T>::Vector;

  /// Takes what is above; NaN above all.
  void offer(const BestValue& next) {
    const auto take = (next.value > value) | (next.value != next.value);  // NOLINT(misc-redundant-expression)
    value = take ? next.value : value;
  }

  Values value;
};

/// A vector of largest values so far and of their flat indices in the plane, which are as wide as T.
template <class T>
struct BestPlace {
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Values = typename Simd<T>::Vector;
  using Places = typename Simd<Place>::Vector;

  /// Takes what is above; of several NaN the last; of equals the first in the plane.
  void offer(const BestPlace& next) {
    const Values v = next.value;
    const Places p = next.place;
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

/// Maxima of the windows of one plane after another, with or without their places.
template <class T, bool kPlaces>
class MaxPool {
 public:
  explicit MaxPool(const Windows& w)
      : w_(w),
        margin_(w.padding),
        length_(margin_ + std::max(w.in[2], (w.out[2] + S::kLanes) * w.stride + w.kernel * w.dilation) +
                2 * S::kLanes),
        value_(static_cast<std::size_t>(length_)),
        place_(static_cast<std::size_t>(kPlaces ? length_ : 0)) {
    // Around the row lies padding: below all numbers, and behind all cells.
    std::fill_n(value_.data(), length_, -std::numeric_limits<T>::infinity());
    std::fill_n(place_.data(), place_.size(), std::numeric_limits<Place>::max());
  }

  void run(const T* plane, T* out, std::int64_t* argmax) {
    for (const Window& d : w_.axis[0])
      for (const Window& h : w_.axis[1]) {
        best_of_rows(d, h, plane);
        (this->*kOfColumns[w_.stride < std::ssize(kOfColumns) ? w_.stride : 0])(out, argmax);
        out += w_.out[2];
        if constexpr (kPlaces) argmax += w_.out[2];
      }
  }

 private:
  using S = Simd<T>;
  using Place = typename BestPlace<T>::Place;
  using P = Simd<Place>;
  using Best = std::conditional_t<kPlaces, BestPlace<T>, BestValue<T>>;

  /// The best of each column over the rows of a window.
  void best_of_rows(const Window& d, const Window& h, const T* plane) {
    const std::int64_t width = w_.in[2];
    rows_.clear();
    for (std::int64_t i = d.begin; i < d.end; i += d.step)
      for (std::int64_t j = h.begin; j < h.end; j += h.step) rows_.push_back((i * w_.in[1] + j) * width);
    T* value = value_.data() + margin_;
    Place* place = place_.data() + margin_;
    const auto best_at = [plane, rows = std::span<const std::int64_t>(rows_)](std::int64_t k, auto load) {
      const auto cells = [&](std::int64_t row) {
        Best best;
        best.value = load(plane + row + k);
        if constexpr (kPlaces) best.place = P::load(kLane.data()) + static_cast<Place>(row + k);
        return best;
      };
      Best best = cells(rows[0]);
      for (const std::int64_t row : rows.subspan(1)) best.offer(cells(row));
      return best;
    };
    std::int64_t k = 0;
    for (; k + S::kLanes <= width; k += S::kLanes) {
      const Best best = best_at(k, S::load);
      S::store(value + k, best.value);
      if constexpr (kPlaces) P::store(place + k, best.place);
    }
    if (k == width) return;
    const auto mask = S::lanes_between(k, 0, width);
    const Best best = best_at(k, [mask](const T* from) { return S::load_masked(from, mask); });
    S::store_some(value + k, best.value, width - k);
    if constexpr (kPlaces) P::store_some(place + k, best.place, width - k);
  }

  /// The best of each window's columns; kStride 0: another stride.
  template <int kStride>
  void best_of_columns(T* out, std::int64_t* argmax) const {
    const std::int64_t stride = kStride > 0 ? kStride : w_.stride, count = w_.out[2];
    const T* value = value_.data();
    const Place* place = place_.data();
    const auto columns = [=](std::int64_t at) {
      Best best;
      best.value = strided<kStride>(value + at, stride);
      if constexpr (kPlaces) best.place = strided<kStride>(place + at, stride);
      return best;
    };
    for (std::int64_t o = 0; o < count; o += S::kLanes) {
      Best best = columns(o * stride);
      for (std::int64_t k = 1; k < w_.kernel; ++k) best.offer(columns(o * stride + k * w_.dilation));
      S::store_some(out + o, best.value, count - o);
      if constexpr (kPlaces) {
        Place places[S::kLanes];
        P::store(places, best.place);
        std::copy_n(places, std::min<std::int64_t>(S::kLanes, count - o), argmax + o);
      }
    }
  }

  /// from[0], from[stride], from[2 stride] …
  template <int kStride, class U>
  static typename Simd<U>::Vector strided(const U* from, std::int64_t stride) {
    constexpr int kLanes = Simd<U>::kLanes;
    if constexpr (kStride > 0) {
      typename Simd<U>::Vector parts[kStride];
      for (int i = 0; i < kStride; ++i) parts[i] = Simd<U>::load(from + i * kLanes);
      return every<U, kStride, 0>(parts);
    }
    typename Simd<U>::Vector some{};
    for (int lane = 0; lane < kLanes; ++lane) some[lane] = from[lane * stride];
    return some;
  }

  /// best_of_columns() by stride.
  static constexpr std::array kOfColumns{&MaxPool::best_of_columns<0>, &MaxPool::best_of_columns<1>,
                                         &MaxPool::best_of_columns<2>, &MaxPool::best_of_columns<3>,
                                         &MaxPool::best_of_columns<4>};

  static constexpr auto kLane = [] {
    std::array<Place, S::kLanes> lane{};
    for (int i = 0; i < S::kLanes; ++i) lane[i] = static_cast<Place>(i);
    return lane;
  }();

  const Windows& w_;
  std::int64_t margin_, length_;
  ScratchVector<T> value_;
  ScratchVector<Place> place_;
  std::vector<std::int64_t> rows_;  ///< of the window
};

}  // namespace

template <class T>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, std::int64_t* argmax) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  const auto run = [&]<bool kPlaces>() {
    detail::parallel_ranges(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
      MaxPool<T, kPlaces> pool(windows);
      for (std::int64_t plane = begin; plane < end; ++plane)
        pool.run(x + plane * in_cells, y + plane * out_cells, kPlaces ? argmax + plane * out_cells : nullptr);
    });
  };
  argmax != nullptr ? run.template operator()<true>() : run.template operator()<false>();
}

template <class T>
void max_pool_backward(const PoolGeometry& g, const T* gy, const std::int64_t* argmax, T* gx, T beta) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  detail::parallel_ranges(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
    if (beta == T(0)) std::fill_n(gx + begin * in_cells, (end - begin) * in_cells, T(0));
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* in = gx + plane * in_cells;
      for (std::int64_t o = plane * out_cells; o < (plane + 1) * out_cells; ++o) in[argmax[o]] += gy[o];
    }
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                     \
  template void max_pool_forward(const PoolGeometry&, const T*, T*, std::int64_t*); \
  template void max_pool_backward(const PoolGeometry&, const T*, const std::int64_t*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
