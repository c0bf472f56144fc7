#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace evenkeel::kernels {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

/// The widest vector register of T.
template <class T>
struct Simd {
  using Vector [[gnu::vector_size(kVectorBytes)]] = T;
  using Unaligned [[gnu::vector_size(kVectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]] = T;
  static constexpr int kLanes = kVectorBytes / sizeof(T);

  static Vector load(const T* from) { return *reinterpret_cast<const Unaligned*>(from); }
  static void store(T* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }

  /// row[at + lane] where low <= at + lane < high, else 0; reads nothing outside [low, high).
  static Vector load_between(const T* row, std::int64_t at, std::int64_t low, std::int64_t high) {
    if (at >= low && at + kLanes <= high) return load(row + at);
    const int begin = static_cast<int>(std::clamp<std::int64_t>(low - at, 0, kLanes));
    const int end = static_cast<int>(std::clamp<std::int64_t>(high - at, 0, kLanes));
#if defined(__AVX512F__)
    const unsigned mask = begin < end ? ((1u << end) - 1u) & ~((1u << begin) - 1u) : 0u;
    if constexpr (sizeof(T) == 4)
      return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), row + at);
    else
      return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), row + at);
#else
    T lanes[kLanes] = {};
    for (int i = begin; i < end; ++i) lanes[i] = row[at + i];
    return load(lanes);
#endif
  }

  /// Stores the first `count` lanes (all, when there are fewer).
  static void store_some(T* to, Vector value, std::int64_t count) {
    if (count >= kLanes) return store(to, value);
#if defined(__AVX512F__)
    const unsigned mask = (1u << count) - 1u;
    if constexpr (sizeof(T) == 4)
      _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), value);
    else
      _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), value);
#else
    T lanes[kLanes];
    store(lanes, value);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
#endif
  }
};

/// Lanes of the lower (kHalf 0) or upper (1) halves of a and b in turn: a0 b0 a1 b1 …
template <class T, int kHalf>
typename Simd<T>::Vector interleave(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  constexpr int kLanes = Simd<T>::kLanes;
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (kIndex / 2 + kHalf * kLanes / 2 + kIndex % 2 * kLanes)...);
  }
  (std::make_integer_sequence<int, kLanes>{});
}

/// Every second lane of a, then of b.
template <class T>
typename Simd<T>::Vector evens(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (2 * kIndex)...);
  }
  (std::make_integer_sequence<int, Simd<T>::kLanes>{});
}

/// to[i] = row[first + i * step] for i < count, zero where that is outside [0, length). Stores whole vectors:
/// up to kLanes - 1 elements beyond count.
template <class T>
void copy_row(const T* row, std::int64_t length, std::int64_t first, std::int64_t step, std::int64_t count,
              T* to) {
  using S = Simd<T>;
  for (std::int64_t i = 0; i < count; i += S::kLanes) {
    const std::int64_t at = first + i * step;
    if (step == 1) {
      S::store(to + i, S::load_between(row, at, 0, length));
    } else if (step == 2) {
      S::store(to + i, evens<T>(S::load_between(row, at, 0, length),
                                S::load_between(row, at + S::kLanes, 0, length)));
    } else {
      for (std::int64_t lane = 0; lane < S::kLanes; ++lane) {
        const std::int64_t cell = at + lane * step;
        to[i + lane] = cell >= 0 && cell < length ? row[cell] : T(0);
      }
    }
  }
}

}  // namespace evenkeel::kernels
