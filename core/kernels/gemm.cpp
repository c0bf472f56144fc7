#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/blas.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/gemm_packed.h>
#include <evenkeel/core/kernels/gemm_start.h>
#include <evenkeel/core/kernels/gemm_unpacked.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace evenkeel::kernels {

namespace {

/// Multiply-adds worth handing to another thread.
constexpr double kWorthAPiece = 1 << 20;
constexpr std::int64_t kMaxPieces = 16;
constexpr std::int64_t kPieceMultiple = 16;
/// Rows or columns: for each piece the BLAS packs what pieces share anew. Halves may be shorter.
constexpr std::int64_t kLeastPiece = 448, kLeastHalf = 128;

/// gemm_parallel() whose sums start anywhere.
template <class T>
void gemm_from(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
               const T* a, std::int64_t lda, const T* b, std::int64_t ldb, const GemmStart<T>& start, T* c,
               std::int64_t ldc) {
  if constexpr (std::is_same_v<T, float>) {
    if (!trans_a && trans_b && alpha == 1 && gemm_dots_pays(m, n, k))
      return gemm_dots(m, n, k, a, lda, b, ldb, start, c, ldc);
    if (!trans_b && alpha == 1 && gemm_streams_pays(m, n, k))
      return gemm_streams(trans_a, m, n, k, a, lda, b, ldb, start, c, ldc);
    if (alpha != 0 && gemm_packed_pays(trans_b, m, n, k))
      return gemm_packed(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, start, c, ldc);
  }
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const std::int64_t longer = std::max(m, n);
  const auto wanted = static_cast<std::int64_t>(std::min(work / kWorthAPiece, double(kMaxPieces)));
  const std::int64_t most =
      std::max({longer / kLeastPiece, std::min<std::int64_t>(longer / kLeastHalf, 2), std::int64_t{1}});
  const auto pieces = static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::clamp<std::int64_t>(wanted, 1, most))));
  const std::int64_t chunk =
      std::max<std::int64_t>(ceil_div(ceil_div(longer, pieces), kPieceMultiple) * kPieceMultiple, 1);
  const auto part = [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    T* to = c + row * ldc + column;
    if (start.data != c)
      for (std::int64_t i = 0; i < rows; ++i)
        std::copy_n(start.data + (row + i) * start.row + column, columns, to + i * ldc);
    gemm(trans_a, trans_b, rows, columns, k, alpha, a + row * (trans_a ? 1 : lda), lda,
         b + column * (trans_b ? ldb : 1), ldb, start.factor, to, ldc);
  };
  detail::parallel_ranges(longer, chunk, [&](std::int64_t begin, std::int64_t end) {
    m > n ? part(begin, end - begin, 0, n) : part(0, m, begin, end - begin);
  });
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == T(0)) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
    return;
  }
  if (std::max({m, n, k, lda, ldb, ldc}) > std::numeric_limits<int>::max())
    throw ValueError("[gemm] expected matrix sides below 2^31, got " +
                     std::to_string(std::max({m, n, k, lda, ldb, ldc})));
  const detail::FlushDenormals flush;
  const auto side = [](std::int64_t value) { return static_cast<int>(std::max<std::int64_t>(value, 1)); };
  blas_gemm(trans_a, trans_b, side(m), side(n), side(k), alpha, a, side(lda), b, side(ldb), beta, c,
            side(ldc));
}

template <class T>
void gemm_parallel(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                   const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                   std::int64_t ldc) {
  gemm_from(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, GemmStart<T>{c, ldc, beta}, c, ldc);
}

template <class T>
void gemm_bias(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* b,
               std::int64_t ldb, const T* bias, T* c, std::int64_t ldc) {
  const GemmStart<T> start = bias != nullptr ? GemmStart<T>{bias, 0, 1} : GemmStart<T>{c, ldc, 0};
  gemm_from(false, true, m, n, k, T(1), a, lda, b, ldb, start, c, ldc);
}

template <class T>
void gemm_batched(std::int64_t batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n,
                  std::int64_t k, T alpha, const T* a, std::int64_t stride_a, const T* b,
                  std::int64_t stride_b, T beta, T* c) {
  const std::int64_t lda = trans_a ? m : k;
  const std::int64_t ldb = trans_b ? k : n;
  const auto one = [&](std::int64_t i, auto&& product) {
    product(trans_a, trans_b, m, n, k, alpha, a + i * stride_a, lda, b + i * stride_b, ldb, beta,
            c + i * m * n, n);
  };
  if (batch == 1) return one(0, gemm_parallel<T>);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto grain = static_cast<std::int64_t>(std::clamp(kWorthAPiece / std::max(work, 1.0), 1.0, 1e9));
  detail::parallel_ranges(batch, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) one(i, gemm<T>);
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                                       \
  template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                     const T*, std::int64_t, T, T*, std::int64_t);                                    \
  template void gemm_parallel(bool, bool, std::int64_t, std::int64_t, std::int64_t, T, const T*,      \
                              std::int64_t, const T*, std::int64_t, T, T*, std::int64_t);             \
  template void gemm_bias(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, const T*, \
                          std::int64_t, const T*, T*, std::int64_t);                                  \
  template void gemm_batched(std::int64_t, bool, bool, std::int64_t, std::int64_t, std::int64_t, T,   \
                             const T*, std::int64_t, const T*, std::int64_t, T, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
