#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/gemm_packed.h>

namespace evenkeel::kernels {

namespace {

/// Whether at most a tenth of the lanes stays empty over so many columns.
bool fills_vectors(std::int64_t count) {
  const std::int64_t lanes = ceil_div(count, Simd<float>::kLanes) * Simd<float>::kLanes;
  return 10 * (lanes - count) <= lanes;
}

/// Whether the rows of a are better columns than those of b, which are few: a classifier's product.
bool turning_pays(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kLeastColumns = 32, kLeastRows = 8, kLeastSteps = 64, kLeastProducts = 1 << 16;
  return trans_b && !fills_vectors(n) && fills_vectors(m) && m >= kLeastColumns && n >= kLeastRows &&
         m * n * k >= kLeastProducts && k >= kLeastSteps;
}

}  // namespace

bool gemm_packed_pays(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  // Up to here the BLAS has kernels that pack nothing, good ones unless b's columns have to be turned.
  constexpr double kSmall = 1e6;
  constexpr std::int64_t kLeastRows = 8, kLeastColumns = 64, kLeastSteps = 2, kLeastCells = 2048,
                         kManyColumns = 256;
  if (!kWidePaths || k == 0) return false;
  if (turning_pays(trans_b, m, n, k)) return true;
  const bool worth_packing = m <= 2 * n || n >= kManyColumns;
  if (!fills_vectors(n) || !worth_packing || (k < kLeastSteps && !trans_b)) return false;
  if (static_cast<double>(m * n) * static_cast<double>(k) <= kSmall) return trans_b && m * n >= kLeastCells;
  return m >= kLeastRows && n >= kLeastColumns;
}

void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                 const GemmStart<float>& start, float* c, std::int64_t ldc) {
  const Operand rows_of_a{a, trans_a ? lda : 1, trans_a ? 1 : lda};
  const Operand columns_of_b{b, trans_b ? 1 : ldb, trans_b ? ldb : 1};
  const bool turned = turning_pays(trans_b, m, n, k);
  const bool elsewhere = start.data != c, add = !elsewhere && start.factor != 0;
  const float* bias = elsewhere ? start.data : nullptr;
  if (add && start.factor != 1)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] *= start.factor;
  if (turned)
    multiply(ProductRows(columns_of_b, n, k, alpha), m, TurnedColumns{{rows_of_a, c, ldc, add, bias}});
  else
    multiply(ProductRows(rows_of_a, m, k, alpha, n), n, MatrixColumns{columns_of_b, c, ldc, add, bias});
}

}  // namespace evenkeel::kernels
