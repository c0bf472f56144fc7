#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// As gemm_parallel(), for products large enough to pay for copying both matrices into the order in which
/// register blocks read them.
template <class T>
void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                 const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc);

}  // namespace evenkeel::kernels
