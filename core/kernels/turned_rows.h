#pragma once

#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

/// Short rows, some at a time, as columns side by side: along a row reductions would cost more than elements.
namespace evenkeel::kernels {

template <class T>
inline constexpr std::int64_t kTurnedRows = std::int64_t{2} * Simd<T>::kLanes;  ///< at a time

/// Rows of n elements that each_turned() gives to a thread at a time; the last may be fewer.
template <class T>
std::int64_t turned_rows_a_piece(std::int64_t n) {
  constexpr std::int64_t kPiece = 1 << 13;
  return std::max<std::int64_t>(1, kPiece / (n * kTurnedRows<T>)) * kTurnedRows<T>;
}

/// Calls f(first row, columns, kSources arrays of n x columns, room for two more and a vector). `columns` is
/// a number, or the constant kTurnedRows, which loops can be unrolled for.
template <class T, std::size_t kSources, class F>
void each_turned(std::int64_t rows, std::int64_t n, const std::array<const T*, kSources>& from, F&& f) {
  using S = Simd<T>;
  constexpr std::int64_t kTogether = kTurnedRows<T>;
  const std::int64_t size = n * kTogether;
  detail::parallel_ranges(rows, turned_rows_a_piece<T>(n), [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> columns((kSources + 2) * static_cast<std::size_t>(size) + S::kLanes);
    std::array<const T*, kSources> turned;
    T* room = columns.data() + static_cast<std::int64_t>(kSources) * size;
    for (std::int64_t first = begin; first < end; first += kTogether) {
      const std::int64_t some = std::min(kTogether, end - first);
      for (std::size_t k = 0; k < kSources; ++k) {
        T* at = columns.data() + static_cast<std::int64_t>(k) * size;
        transpose(from[k] + first * n, n, some, n, at);
        turned[k] = at;
      }
      if (some == kTogether)
        f(first, std::integral_constant<std::int64_t, kTogether>(), turned, room);
      else
        f(first, some, turned, room);
    }
  });
}

/// Columns of n elements as rows of `to`, which are added to if beta is 1. Scratch memory of the same size
/// lies behind the columns, and a vector more.
template <class T>
void turn_back(T* columns, std::int64_t n, std::int64_t count, T* to, T beta) {
  using S = Simd<T>;
  // Vectors reach beyond the end of a row, into what is written later.
  T* rows = columns + count * n;
  for (std::int64_t c = (n - 1) / S::kLanes * S::kLanes; c >= 0; c -= S::kLanes)
    transpose_to_lanes(columns + c * count, count, count,
                       static_cast<int>(std::min<std::int64_t>(n - c, S::kLanes)), rows + c, n);
  for (std::int64_t k = 0; k < count * n; ++k) to[k] = beta == T(0) ? rows[k] : rows[k] + to[k];
}

}  // namespace evenkeel::kernels
