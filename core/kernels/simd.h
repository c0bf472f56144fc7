#pragma once

#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

#if defined(__AVX2__)
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

/// Whether our own products of matrices, packed or not, the convolutions made of them, and those by images,
/// are taken where they pay with the widest vectors. EVENKEEL_WIDE_PATHS takes them with vectors of 256 bits,
/// too, to count their instructions: valgrind knows no AVX-512.
#if defined(EVENKEEL_WIDE_PATHS)
inline constexpr bool kWidePaths = true;
#else
inline constexpr bool kWidePaths = kVectorBytes == 64;
#endif

/// The widest vector register of T.
template <class T>
struct Simd {
  using Vector [[gnu::vector_size(kVectorBytes)]] = T;
  using Unaligned [[gnu::vector_size(kVectorBytes), gnu::aligned(alignof(T)), gnu::may_alias]] = T;
  static constexpr int kLanes = kVectorBytes / sizeof(T);

  static Vector load(const T* from) { return *reinterpret_cast<const Unaligned*>(from); }
  static void store(T* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }

  /// Which lanes of a vector to load: [begin, end).
  struct Mask {
#if defined(__AVX512F__)
    std::uint32_t bits;
#elif defined(__AVX2__)
    __m256i bits;
#else
    int begin, end;
#endif
  };

  /// Lanes with low <= at + lane < high.
  static Mask lanes_between(std::int64_t at, std::int64_t low, std::int64_t high) {
    const int begin = static_cast<int>(std::clamp<std::int64_t>(low - at, 0, kLanes));
    const int end = static_cast<int>(std::clamp<std::int64_t>(high - at, begin, kLanes));
#if defined(__AVX512F__)
    return {((1u << end) - 1u) & ~((1u << begin) - 1u)};
#elif defined(__AVX2__)
    return {first_lanes(end) ^ first_lanes(begin)};
#else
    return {begin, end};
#endif
  }

  /// The masked lanes of from[lane], else 0; reads nothing else.
  static Vector load_masked(const T* from, Mask mask) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
      return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask.bits), from);
    else
      return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask.bits), from);
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4)
      return _mm256_maskload_ps(from, mask.bits);
    else
      return _mm256_maskload_pd(from, mask.bits);
#else
    if (mask.begin == 0 && mask.end == kLanes) return load(from);
    T lanes[kLanes] = {};
    for (int i = mask.begin; i < mask.end; ++i) lanes[i] = from[i];
    return load(lanes);
#endif
  }

  /// The lanes of `bits`, in order, are value's first ones, the others 0.
  static Vector expanded(std::uint32_t bits, Vector value) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
      return _mm512_maskz_expand_ps(static_cast<__mmask16>(bits), reinterpret_cast<__m512>(value));
    else
      return _mm512_maskz_expand_pd(static_cast<__mmask8>(bits), reinterpret_cast<__m512d>(value));
#else
    Vector result{};
    for (int lane = 0, from = 0; lane < kLanes; ++lane)
      if ((bits >> lane & 1u) != 0) result[lane] = value[from++];
    return result;
#endif
  }

  /// The lanes of `bits` side by side, then zeros: the opposite of expanded().
  static Vector compressed(std::uint32_t bits, Vector value) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
      return _mm512_maskz_compress_ps(static_cast<__mmask16>(bits), reinterpret_cast<__m512>(value));
    else
      return _mm512_maskz_compress_pd(static_cast<__mmask8>(bits), reinterpret_cast<__m512d>(value));
#else
    Vector result{};
    for (int lane = 0, to = 0; lane < kLanes; ++lane)
      if ((bits >> lane & 1u) != 0) result[to++] = value[lane];
    return result;
#endif
  }

  /// row[at + lane] where low <= at + lane < high, else 0; reads nothing outside [low, high).
  static Vector load_between(const T* row, std::int64_t at, std::int64_t low, std::int64_t high) {
    if (at >= low && at + kLanes <= high) return load(row + at);
    return load_masked(row + at, lanes_between(at, low, high));
  }

  /// Stores the first `count` lanes (all, when there are fewer).
  static void store_some(T* to, Vector value, std::int64_t count) {
    if (count >= kLanes) return store(to, value);
#if defined(__AVX512F__)
    const unsigned mask = (1u << count) - 1u;
    if constexpr (sizeof(T) == 4)
      _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), reinterpret_cast<__m512>(value));
    else
      _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), reinterpret_cast<__m512d>(value));
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4)
      _mm256_maskstore_ps(reinterpret_cast<float*>(to), first_lanes(count), reinterpret_cast<__m256>(value));
    else
      _mm256_maskstore_pd(reinterpret_cast<double*>(to), first_lanes(count),
                          reinterpret_cast<__m256d>(value));
#else
    T lanes[kLanes];
    store(lanes, value);
    for (int i = 0; i < count; ++i) to[i] = lanes[i];
#endif
  }

#if defined(__AVX2__) && !defined(__AVX512F__)
 private:
  /// Ones in the first `count` lanes.
  static __m256i first_lanes(std::int64_t count) {
    if constexpr (sizeof(T) == 4)
      return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                                _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    else
      return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }
#endif
};

/// Lanes of the lower (kHalf 0) or upper (1) halves of a and b in turn: a0 b0 a1 b1 …
/// Here and in evens() and odds() kWidth lanes that stay together may take the place of one.
template <class T, int kHalf, int kWidth = 1>
typename Simd<T>::Vector interleave(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  constexpr int kLanes = Simd<T>::kLanes;
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b,
                                   (kIndex / kWidth / 2 * kWidth + kIndex % kWidth + kHalf * kLanes / 2 +
                                    kIndex / kWidth % 2 * kLanes)...);
  }
  (std::make_integer_sequence<int, kLanes>{});
}

/// Every second lane of a, then of b.
template <class T, int kWidth = 1>
typename Simd<T>::Vector evens(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (2 * kIndex - kIndex % kWidth)...);
  }
  (std::make_integer_sequence<int, Simd<T>::kLanes>{});
}

/// Every second lane of a from the second on, then of b.
template <class T, int kWidth = 1>
typename Simd<T>::Vector odds(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (2 * kIndex - kIndex % kWidth + kWidth)...);
  }
  (std::make_integer_sequence<int, Simd<T>::kLanes>{});
}

/// Lanes kFirst, kFirst + kStep … of kStep vectors, which stand one behind the other.
template <class T, int kStep, int kFirst>
typename Simd<T>::Vector every(const typename Simd<T>::Vector (&v)[kStep]) {
  constexpr int kLanes = Simd<T>::kLanes;
  const auto add = [&]<int kPart, int... kLane>(auto before, std::integer_sequence<int, kLane...>) {
    constexpr auto index = [](int lane) {
      const int at = lane * kStep + kFirst;
      if (at / kLanes == kPart) return kLanes + at % kLanes;
      return kPart == 1 && at < kLanes ? at : lane;
    };
    return __builtin_shufflevector(before, v[kPart], index(kLane)...);
  };
  return [&]<int... kPart>(std::integer_sequence<int, kPart...>) {
    auto result = v[0];
    ((result = add.template operator()<kPart + 1>(result, std::make_integer_sequence<int, kLanes>{})), ...);
    return result;
  }
  (std::make_integer_sequence<int, kStep - 1>{});
}

/// Part kPart of the lanes of all vectors in turn: the opposite of `every`.
template <class T, int kPart, int kVectors>
typename Simd<T>::Vector woven(const typename Simd<T>::Vector (&v)[kVectors]) {
  constexpr int kLanes = Simd<T>::kLanes;
  const auto add = [&]<int kVector, int... kLane>(auto before, std::integer_sequence<int, kLane...>) {
    constexpr auto index = [](int lane) {
      const int at = kPart * kLanes + lane;
      if (at % kVectors == kVector) return kLanes + at / kVectors;
      return kVector == 1 && at % kVectors == 0 ? at / kVectors : lane;
    };
    return __builtin_shufflevector(before, v[kVector], index(kLane)...);
  };
  return [&]<int... kVector>(std::integer_sequence<int, kVector...>) {
    auto result = v[0];
    ((result = add.template operator()<kVector + 1>(result, std::make_integer_sequence<int, kLanes>{})), ...);
    return result;
  }
  (std::make_integer_sequence<int, kVectors - 1>{});
}

/// Lanes first … of a followed by b.
template <class T, int kFirst>
typename Simd<T>::Vector joined(typename Simd<T>::Vector a, typename Simd<T>::Vector b) {
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (kIndex + kFirst)...);
  }
  (std::make_integer_sequence<int, Simd<T>::kLanes>{});
}

/// The sum of the lanes of `value`: of its halves, then of their halves …
template <class T>
T sum_of_lanes(typename Simd<T>::Vector value) {
  const auto fold = [&]<int... kHalving>(std::integer_sequence<int, kHalving...>) {
    ((value += joined<T, (Simd<T>::kLanes >> (kHalving + 1))>(value, value)), ...);
  };
  fold(std::make_integer_sequence<int, std::countr_zero(static_cast<unsigned>(Simd<T>::kLanes))>{});
  return value[0];
}

/// Lane i is lane lanes[i] of `value`.
template <class Vector, class Lanes>
Vector permuted(Vector value, Lanes lanes) {
#if defined(__clang__)
  Vector result{};
  for (std::size_t i = 0; i < sizeof(Lanes) / sizeof(lanes[0]); ++i) result[i] = value[lanes[i]];
  return result;
#else
  return __builtin_shuffle(value, lanes);
#endif
}

/// Lane i is lane lanes[i] of `low` followed by `high`.
template <class Vector, class Lanes>
Vector permuted(Vector low, Vector high, Lanes lanes) {
#if defined(__clang__)
  constexpr auto kLanes = static_cast<int>(sizeof(Lanes) / sizeof(lanes[0]));
  Vector result{};
  for (int i = 0; i < kLanes; ++i) result[i] = lanes[i] < kLanes ? low[lanes[i]] : high[lanes[i] - kLanes];
  return result;
#else
  return __builtin_shuffle(low, high, lanes);
#endif
}

}  // namespace evenkeel::kernels
