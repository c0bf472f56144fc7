#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/pool_fold.h>
#include <evenkeel/core/kernels/pool_windows.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <limits>
#include <type_traits>

namespace evenkeel::kernels {

namespace {

/// The largest values.
template <class T>
struct BestValue {
  using Element = T;
  using Values = typename Simd<T>::Vector;
  static constexpr T kEmpty = -std::numeric_limits<T>::infinity();
  static constexpr bool kPlaces = false, kMean = false;

  /// Takes what is above; NaN above all.
  void offer(const BestValue& next) {
    const auto take = (next.value > value) | (next.value != next.value);  // NOLINT(misc-redundant-expression)
    value = take ? next.value : value;
  }

  template <int kFirst>
  BestValue turned() const {
    return {joined<T, kFirst>(value, value)};
  }

  Values value;
};

/// The largest values and where they are.
template <class T>
struct BestPlace {
  using Element = T;
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Values = typename Simd<T>::Vector;
  using Places = typename Simd<Place>::Vector;
  static constexpr T kEmpty = -std::numeric_limits<T>::infinity();
  static constexpr bool kPlaces = true, kMean = false;

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

  template <int kFirst>
  BestPlace turned() const {
    return {joined<T, kFirst>(value, value), joined<Place, kFirst>(place, place)};
  }

  Values value;
  Places place;
};

}  // namespace

template <class T>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, std::int64_t* argmax) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  const auto run = [&]<class Fold>() {
    const PoolFold<Fold> fold(windows);
    detail::parallel_shares(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
      fold.run(end - begin, x + begin * in_cells, y + begin * out_cells,
               argmax != nullptr ? argmax + begin * out_cells : nullptr);
    });
  };
  argmax != nullptr ? run.template operator()<BestPlace<T>>() : run.template operator()<BestValue<T>>();
}

template <class T>
void max_pool_backward(const PoolGeometry& g, const T* gy, const std::int64_t* argmax, T* gx, T beta) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  detail::parallel_shares(g.planes, planes_a_piece(windows), [&](std::int64_t begin, std::int64_t end) {
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
