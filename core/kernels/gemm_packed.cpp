#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/gemm_packed.h>

#include <algorithm>

namespace evenkeel::kernels {

bool gemm_packed_pays(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kLeastRows = 8, kLeastColumns = 128, kLeastSum = 96, kMostCells = 48 << 10;
  const std::int64_t columns = ceil_div(n, kStripWidth) * kStripWidth;
  return kVectorBytes == 64 && m >= kLeastRows && n >= kLeastColumns && k >= kLeastSum &&
         m * std::min<std::int64_t>(k, 192) <= kMostCells && 20 * (columns - n) <= columns;
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
