#include <evenkeel/core/kernels/gemm_unpacked.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <utility>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
using Vector = S::Vector;
constexpr std::int64_t kLanes = S::kLanes;
constexpr std::int64_t kSumLength = 1024;  ///< of b's rows, as many as meet a block of a's, in the L1 cache

/// Sums of neighbours kWidth apart: of a in the lanes without that bit, of b in the others.
template <int kWidth>
Vector folded(Vector a, Vector b) {
  return [&]<int... kLane>(std::integer_sequence<int, kLane...>) {
    const Vector own = __builtin_shufflevector(a, b, ((kLane & kWidth) ? S::kLanes + kLane : kLane)...);
    const Vector other =
        __builtin_shufflevector(a, b, ((kLane & kWidth) ? S::kLanes + kLane - kWidth : kLane + kWidth)...);
    return own + other;
  }
  (std::make_integer_sequence<int, S::kLanes>{});
}

/// Lane i is the sum of all lanes of v[i].
template <int kWidth = S::kLanes / 2>
Vector sums_of_lanes(Vector (&v)[kLanes]) {
  for (int i = 0; i < kWidth; ++i) v[i] = folded<kWidth>(v[i], v[i + kWidth]);
  if constexpr (kWidth == 1)
    return v[0];
  else
    return sums_of_lanes<kWidth / 2>(v);
}

/// Sums of products of kRows rows of a with as many rows of b as give one vector: [row of a][row of b].
template <int kRows>
struct Block {
  static constexpr std::int64_t kColumns = kLanes / kRows;

  /// `next`: distance of b's rows that come next, or 0.
  static void run(const float* const* a, const float* const* b, std::int64_t next, std::int64_t steps,
                  float* to) {
    Vector sums[kLanes] = {};
    const auto add = [&](auto&& load) {
      Vector row[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) row[r] = load(a[r]);
#pragma GCC unroll 16
      for (std::int64_t c = 0; c < kColumns; ++c) {
        const Vector column = load(b[c]);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sums[r * kColumns + c] += row[r] * column;
      }
    };
    std::int64_t p = 0;
    for (; p + kLanes <= steps; p += kLanes) {
      if (next != 0)
        for (std::int64_t c = 0; c < kColumns; ++c) __builtin_prefetch(b[c] + next + p);
      add([&](const float* from) { return S::load(from + p); });
    }
    if (p < steps) {
      const auto mask = S::lanes_between(p, 0, steps);
      add([&](const float* from) { return S::load_masked(from + p, mask); });
    }
    S::store(to, sums_of_lanes(sums));
  }
};

constexpr std::int64_t kWorthAPiece = 1 << 19;  ///< multiply-adds
constexpr std::int64_t kReading = 8;  ///< multiply-adds that take as long as an element of b to be read

/// Columns of a piece for another thread.
std::int64_t columns_a_piece(std::int64_t m, std::int64_t k, std::int64_t multiple) {
  const std::int64_t columns = ceil_div(kWorthAPiece, std::max(m, kReading) * std::max<std::int64_t>(k, 1));
  return ceil_div(columns, multiple) * multiple;
}

/// For gemm_dots().
struct Dots {
  std::int64_t m, n, k;
  const float* a;
  std::int64_t lda;
  const float* b;
  std::int64_t ldb;
  GemmStart<float> start;
  std::int64_t start_column;  ///< distance of the elements of a row of `start`
  float* c;
  std::int64_t row_step, column_step;  ///< distances of c's elements

  /// Columns [begin, end) of c by blocks of kRows; those at the ends take their last row or column again.
  template <int kRows>
  void multiply(std::int64_t begin, std::int64_t end) const {
    constexpr std::int64_t kColumns = Block<kRows>::kColumns;
    std::int64_t first = 0;
    do {
      const std::int64_t steps = std::min(kSumLength, k - first);
      for (std::int64_t j = begin; j < end; j += kColumns) {
        const float* columns[kColumns];
        for (std::int64_t i = 0; i < kColumns; ++i) columns[i] = b + std::min(j + i, end - 1) * ldb + first;
        for (std::int64_t row = 0; row < m; row += kRows) {
          const float* rows[kRows];
          for (std::int64_t i = 0; i < kRows; ++i) rows[i] = a + std::min(row + i, m - 1) * lda + first;
          const bool last = row + kRows >= m;
          float sums[kLanes];
          Block<kRows>::run(rows, columns, last ? kColumns * ldb : 0, steps, sums);
          for (std::int64_t r = 0; r < std::min<std::int64_t>(kRows, m - row); ++r)
            deliver(sums + r * kColumns, std::min(kColumns, end - j), first > 0, row + r, j);
        }
      }
      first += kSumLength;
    } while (first < k);
  }

  void deliver(const float* sums, std::int64_t count, bool goes_on, std::int64_t row,
               std::int64_t column) const {
    float* to = c + row * row_step + column * column_step;
    const float* from = start.data + row * start.row + column * start_column;
    for (std::int64_t i = 0; i < count; ++i) {
      float& result = to[i * column_step];
      const float before = goes_on             ? result
                           : start.factor == 0 ? 0.0f
                                               : start.factor * from[i * start_column];
      result = before + sums[i];
    }
  }
};

constexpr std::int64_t kTogether = 32;  ///< rows of b that pass by together
constexpr std::int64_t kTileVectors = 4;

/// For gemm_streams().
struct Streams {
  std::int64_t m, k;
  const float* a;
  std::int64_t row, step;  ///< distances of a's elements
  const float* b;
  std::int64_t ldb;
  GemmStart<float> start;
  float* c;
  std::int64_t ldc;

  /// Columns [j, j + count) of c.
  void multiply(std::int64_t j, std::int64_t count) const {
    std::int64_t first = 0;
    do {
      const std::int64_t steps = std::min(kTogether, k - first);
      std::int64_t i = 0;
      for (; i + 4 <= m; i += 4) multiply_rows<4>(i, first, steps, j, count);
      if (i + 2 <= m) multiply_rows<2>(i, first, steps, j, count), i += 2;
      if (i < m) multiply_rows<1>(i, first, steps, j, count);
      first += kTogether;
    } while (first < k);
  }

  template <int kRows>
  void multiply_rows(std::int64_t i, std::int64_t first, std::int64_t steps, std::int64_t j,
                     std::int64_t count) const {
    for (std::int64_t at = 0; at < count; at += kTileVectors * kLanes) {
      const std::int64_t some = count - at;
      if (some > 3 * kLanes)
        multiply_tile<kRows, 4>(i, first, steps, j + at, some);
      else if (some > 2 * kLanes)
        multiply_tile<kRows, 3>(i, first, steps, j + at, some);
      else if (some > kLanes)
        multiply_tile<kRows, 2>(i, first, steps, j + at, some);
      else
        multiply_tile<kRows, 1>(i, first, steps, j + at, some);
    }
  }

  template <int kRows, int kVectors>
  void multiply_tile(std::int64_t i, std::int64_t first, std::int64_t steps, std::int64_t j,
                     std::int64_t count) const {
    Vector sums[kRows][kVectors] = {};
    float* to = c + i * ldc + j;
    const GemmStart<float> before =
        first > 0 ? GemmStart<float>{to, ldc, 1.0f}
                  : GemmStart<float>{start.data + i * start.row + j, start.row, start.factor};
    const std::int64_t in_last = std::min<std::int64_t>(count - (kVectors - 1) * kLanes, kLanes);
    const auto mask = S::lanes_between(0, 0, in_last);
    const auto load = [&](const float* from, int v) {
      return v + 1 < kVectors ? S::load(from + v * kLanes) : S::load_masked(from + v * kLanes, mask);
    };
    const float* factor = a + i * row + first * step;
    const float* from = b + first * ldb + j;
    for (std::int64_t p = 0; p < steps; ++p, factor += step, from += ldb) {
      Vector columns[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        columns[v] = load(from, v);
        __builtin_prefetch(from + kTogether * ldb + v * kLanes);
      }
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] += factor[r * row] * columns[v];
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        if (before.factor != 0) sums[r][v] += before.factor * load(before.data + r * before.row, v);
        S::store_some(to + r * ldc + v * kLanes, sums[r][v], v + 1 < kVectors ? kLanes : in_last);
      }
  }
};

bool few_rows(std::int64_t m, std::int64_t n) {
  constexpr std::int64_t kMostRows = 24;
  return kWidePaths && m <= kMostRows && n >= kLanes;
}

/// Beyond the BLAS's kernels for small products, which pack nothing and are as good on one thread.
bool large(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kSmallProduct = 1000000, kFewWeights = 1 << 19;
  return m * n * k > kSmallProduct || n * k >= kFewWeights;
}

}  // namespace

bool gemm_dots_pays(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kStepsARow = 16, kStepsAColumn = 20, kSmallResult = 1200;
  if (!(few_rows(m, n) && m * kStepsARow <= k) && !(few_rows(n, m) && n * kStepsAColumn <= k)) return false;
  return m * n >= kSmallResult || large(m, n, k);
}

void gemm_dots(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
               const float* b, std::int64_t ldb, const GemmStart<float>& start, float* c, std::int64_t ldc) {
  const Dots dots = n < m ? Dots{n, m, k, b, ldb, a, lda, {start.data, 1, start.factor}, start.row, c, 1, ldc}
                          : Dots{m, n, k, a, lda, b, ldb, start, 1, c, ldc, 1};
  detail::parallel_ranges(dots.n, columns_a_piece(dots.m, k, kLanes),
                          [&](std::int64_t begin, std::int64_t end) {
                            if (dots.m == 1) return dots.multiply<1>(begin, end);
                            if (dots.m == 2) return dots.multiply<2>(begin, end);
                            dots.multiply<4>(begin, end);
                          });
}

bool gemm_streams_pays(std::int64_t m, std::int64_t n, std::int64_t k) {
  return few_rows(m, n) && large(m, n, k);
}

void gemm_streams(bool trans_a, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                  std::int64_t lda, const float* b, std::int64_t ldb, const GemmStart<float>& start, float* c,
                  std::int64_t ldc) {
  constexpr std::int64_t kCells = 6 << 10;  // of b that pass by again and again, in the L1 cache
  constexpr std::int64_t kTile = kTileVectors * kLanes;
  const Streams streams{m, k, a, trans_a ? 1 : lda, trans_a ? lda : 1, b, ldb, start, c, ldc};
  const std::int64_t chunk = kCells / std::clamp<std::int64_t>(k, 1, kTogether) / kTile * kTile;
  detail::parallel_ranges(n, columns_a_piece(m, k, kTile), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; j += chunk) streams.multiply(j, std::min(chunk, end - j));
  });
}

}  // namespace evenkeel::kernels
