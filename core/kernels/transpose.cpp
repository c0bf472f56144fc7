#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>

namespace evenkeel::kernels {

namespace {

/// Transposes a block of kLanes rows: log2(lanes) perfect shuffles.
template <class T>
void transpose_block(typename Simd<T>::Vector (&block)[Simd<T>::kLanes]) {
  constexpr int kLanes = Simd<T>::kLanes;
#pragma GCC unroll 4
  for (int width = 1; width < kLanes; width *= 2) {
    typename Simd<T>::Vector next[kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes / 2; ++r) {
      next[2 * r] = interleave<T, 0>(block[r], block[r + kLanes / 2]);
      next[2 * r + 1] = interleave<T, 1>(block[r], block[r + kLanes / 2]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) block[r] = next[r];
  }
}

/// The first `some` rows of a transposed block, all of them unless kSome.
template <bool kSome, class T>
void store_block(const typename Simd<T>::Vector (&block)[Simd<T>::kLanes], std::int64_t some, T* to,
                 std::int64_t ld) {
#pragma GCC unroll 16
  for (int r = 0; r < Simd<T>::kLanes; ++r)
    if (!kSome || r < some) Simd<T>::store(to + r * ld, block[r]);
}

/// transpose_to_lanes for a block of kLanes columns, or with kSome for the first `some` of them.
template <bool kSome, class T>
void transpose_block_of(const T* from, std::int64_t pitch, int rows, std::int64_t some, T* to,
                        std::int64_t ld) {
  constexpr int kLanes = Simd<T>::kLanes;
  const auto mask = Simd<T>::lanes_between(0, 0, some);
  const auto load = [&](const T* row) {
    return kSome ? Simd<T>::load_masked(row, mask) : Simd<T>::load(row);
  };
  typename Simd<T>::Vector block[kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < kLanes; ++r) block[r] = r < rows ? load(from + r * pitch) : typename Simd<T>::Vector{};
  transpose_block<T>(block);
  store_block<kSome>(block, some, to, ld);
}

}  // namespace

template <class T>
void transpose_to_lanes(const T* from, std::int64_t pitch, std::int64_t count, int rows, T* to,
                        std::int64_t ld) {
  constexpr int kLanes = Simd<T>::kLanes;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    transpose_block_of<false>(from + i, pitch, rows, kLanes, to + i * ld, ld);
  if (i < count) transpose_block_of<true>(from + i, pitch, rows, count - i, to + i * ld, ld);
}

template <class T>
void gather_to_lanes(const T* const* from, std::int64_t count, T* to, std::int64_t ld) {
  constexpr int kLanes = Simd<T>::kLanes;
  for (std::int64_t i = 0; i < count; i += kLanes) {
    typename Simd<T>::Vector block[kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) block[r] = Simd<T>::load(from[r] + i);
    transpose_block<T>(block);
    if (i + kLanes <= count)
      store_block<false>(block, kLanes, to + i * ld, ld);
    else
      store_block<true>(block, count - i, to + i * ld, ld);
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
  template void gather_to_lanes(const T* const*, std::int64_t, T*, std::int64_t);                \
  template void transpose(const T*, std::int64_t, std::int64_t, std::int64_t, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
