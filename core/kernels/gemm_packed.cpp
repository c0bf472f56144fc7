#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/gemm_packed.h>

#include <algorithm>

namespace evenkeel::kernels {

bool gemm_packed_pays(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  // Up to here the BLAS has kernels that pack nothing, good ones unless b's columns have to be turned.
  constexpr double kSmall = 1e6;
  constexpr std::int64_t kLeastRows = 16, kLeastColumns = 64, kLeastCells = 2048, kManyColumns = 256;
  if (!kWidePaths || k == 0) return false;
  const std::int64_t columns = ceil_div(n, Simd<float>::kLanes) * Simd<float>::kLanes;
  const bool filled = 10 * (columns - n) <= columns, worth_packing = m <= 2 * n || n >= kManyColumns;
  if (!filled || !worth_packing) return false;
  if (static_cast<double>(m * n) * static_cast<double>(k) <= kSmall) return trans_b && m * n >= kLeastCells;
  return m >= kLeastRows && n >= kLeastColumns;
}

void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
                 std::int64_t ldc) {
  const Operand left{a, trans_a ? lda : 1, trans_a ? 1 : lda};
  const Operand right{b, trans_b ? 1 : ldb, trans_b ? ldb : 1};
  if (beta != 0 && beta != 1)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] *= beta;
  multiply_packed(PackedRows(left, m, k, alpha), n, MatrixColumns{right, c, ldc, beta != 0});
}

}  // namespace evenkeel::kernels
