#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>

#include <algorithm>

namespace evenkeel::kernels {

template <class T>
void transpose_to_lanes(const T* from, std::int64_t pitch, std::int64_t count, int rows, T* to,
                        std::int64_t ld) {
  constexpr int kLanes = Simd<T>::kLanes;
  using Vector = typename Simd<T>::Vector;
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const std::int64_t some = std::min<std::int64_t>(kLanes, count - i);
    const auto mask = Simd<T>::lanes_between(0, 0, some);
    Vector block[kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r)
      block[r] = r < rows ? Simd<T>::load_masked(from + r * pitch + i, mask) : Vector{};
      // log2(lanes) perfect shuffles of the rows transpose the block.
#pragma GCC unroll 4
    for (int width = 1; width < kLanes; width *= 2) {
      Vector next[kLanes];
#pragma GCC unroll 16
      for (int r = 0; r < kLanes / 2; ++r) {
        next[2 * r] = interleave<T, 0>(block[r], block[r + kLanes / 2]);
        next[2 * r + 1] = interleave<T, 1>(block[r], block[r + kLanes / 2]);
      }
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) block[r] = next[r];
    }
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r)
      if (r < some) Simd<T>::store(to + (i + r) * ld, block[r]);
  }
}

template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t columns, std::int64_t step, T* to) {
  constexpr int kLanes = Simd<T>::kLanes;
  std::int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes)
    transpose_to_lanes(from + j * step, step, rows, kLanes, to + j, columns);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = j; k < columns; ++k) to[i * columns + k] = from[i + k * step];
}

#define EVENKEEL_INSTANTIATE(T)                                                                  \
  template void transpose_to_lanes(const T*, std::int64_t, std::int64_t, int, T*, std::int64_t); \
  template void transpose(const T*, std::int64_t, std::int64_t, std::int64_t, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
