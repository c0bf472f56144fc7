#pragma once

#include <cstdint>
#include <utility>

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

}  // namespace evenkeel::kernels
