#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// Whether gemm_packed is about as fast as the BLAS or faster. The BLAS has to be cut alike for any number of
/// threads, and packs what the pieces share for each.
bool gemm_packed_pays(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k);

/// gemm in f32 by our own blocks: rows of a by vectors of columns of b, both packed in the order the blocks
/// read them. The order of a sum depends on k alone, so that the product is cut by the number of threads.
void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
                 std::int64_t ldc);

}  // namespace evenkeel::kernels
