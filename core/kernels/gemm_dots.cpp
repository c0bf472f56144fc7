#include <evenkeel/core/kernels/gemm_dots.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <utility>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
using Vector = S::Vector;
constexpr int kLanes = S::kLanes;
constexpr std::int64_t kSumLength = 1024;  ///< of b's rows, as many as meet a block of a's, in the L1 cache

/// Sums of neighbours kWidth apart: of a in the lanes without that bit, of b in the others.
template <int kWidth>
Vector folded(Vector a, Vector b) {
  return [&]<int... kLane>(std::integer_sequence<int, kLane...>) {
    const Vector own = __builtin_shufflevector(a, b, ((kLane & kWidth) ? kLanes + kLane : kLane)...);
    const Vector other =
        __builtin_shufflevector(a, b, ((kLane & kWidth) ? kLanes + kLane - kWidth : kLane + kWidth)...);
    return own + other;
  }
  (std::make_integer_sequence<int, kLanes>{});
}

/// Lane i is the sum of all lanes of v[i].
template <int kWidth = kLanes / 2>
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
  static constexpr int kColumns = kLanes / kRows;

  /// `next`: distance of b's rows that come next, or 0.
  static void run(const float* const* a, const float* const* b, std::int64_t next, std::int64_t steps,
                  float* to) {
    Vector sums[kLanes] = {};
    const auto add = [&](auto&& load) {
      Vector row[kRows];
      for (int r = 0; r < kRows; ++r) row[r] = load(a[r]);
#pragma GCC unroll 16
      for (int c = 0; c < kColumns; ++c) {
        const Vector column = load(b[c]);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sums[r * kColumns + c] += row[r] * column;
      }
    };
    std::int64_t p = 0;
    for (; p + kLanes <= steps; p += kLanes) {
      if (next != 0)
        for (int c = 0; c < kColumns; ++c) __builtin_prefetch(b[c] + next + p);
      add([&](const float* from) { return S::load(from + p); });
    }
    if (p < steps) {
      const auto mask = S::lanes_between(p, 0, steps);
      add([&](const float* from) { return S::load_masked(from + p, mask); });
    }
    S::store(to, sums_of_lanes(sums));
  }
};

struct Product {
  std::int64_t m, n, k;
  const float* a;
  std::int64_t lda;
  const float* b;
  std::int64_t ldb;
  float beta;
  float* c;
  std::int64_t ldc;

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
            deliver(sums + r * kColumns, std::min(kColumns, end - j), first > 0, c + (row + r) * ldc + j);
        }
      }
      first += kSumLength;
    } while (first < k);
  }

  void deliver(const float* sums, std::int64_t count, bool goes_on, float* to) const {
    for (std::int64_t i = 0; i < count; ++i) {
      const float before = goes_on ? to[i] : beta == 0 ? 0.0f : beta * to[i];
      to[i] = before + sums[i];
    }
  }
};

}  // namespace

bool gemm_dots_pays(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kMostRows = 24, kStepsARow = 16;
  // Below all of these the BLAS has kernels that pack nothing, and are as good on one thread.
  constexpr std::int64_t kSmallResult = 1200, kSmallProduct = 1000000, kFewWeights = 1 << 19;
  if (!kWidePaths || n < kLanes || m > std::min(kMostRows, k / kStepsARow)) return false;
  return m * n >= kSmallResult || m * n * k > kSmallProduct || n * k >= kFewWeights;
}

void gemm_dots(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
               const float* b, std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  constexpr std::int64_t kWorthAPiece = 1 << 19;  // multiply-adds
  constexpr std::int64_t kReading = 8;  // multiply-adds that reading an element of b takes as long as
  const Product product{m, n, k, a, lda, b, ldb, beta, c, ldc};
  const std::int64_t columns = ceil_div(kWorthAPiece, std::max(m, kReading) * std::max<std::int64_t>(k, 1));
  const std::int64_t grain = ceil_div(columns, kLanes) * kLanes;
  detail::parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    if (m == 1) return product.multiply<1>(begin, end);
    if (m == 2) return product.multiply<2>(begin, end);
    product.multiply<4>(begin, end);
  });
}

}  // namespace evenkeel::kernels
