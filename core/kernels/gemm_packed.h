#pragma once

#include <evenkeel/core/kernels/gemm_start.h>

#include <cstdint>

namespace evenkeel::kernels {

/// Whether gemm_packed is about as fast as the BLAS or faster. The BLAS has to be cut alike for any number of
/// threads, and packs what the pieces share for each.
bool gemm_packed_pays(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k);

/// gemm in f32 by our own blocks: rows of a, packed unless b has few columns, by vectors of columns of b,
/// packed in the order the blocks read them. The order of a sum depends on the sizes and on how a lies, never
/// on the threads, by whose number the product is cut.
void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                 const GemmStart<float>& start, float* c, std::int64_t ldc);

}  // namespace evenkeel::kernels
