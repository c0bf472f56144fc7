#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// c = alpha * op(a) * op(b) + beta * c on the calling thread, row-major: op(a) is m x k, op(b) is k x n, c
/// is m x n; op transposes when its flag is set; ld* is the distance of two stored rows. c is not read when
/// beta is 0, a and b are not when alpha is 0.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc);

/// The same, cut over the threads into pieces of c; its bits do not depend on their number.
template <class T>
void gemm_parallel(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                   const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                   std::int64_t ldc);

/// c = a * bᵀ + bias cut over the threads like gemm_parallel(): a is m x k, b is n x k, bias
/// has an element for each column, or is null.
template <class T>
void gemm_bias(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* b,
               std::int64_t ldb, const T* bias, T* c, std::int64_t ldc);

/// `batch` products of dense matrices, a batch item's matrices following one another; a stride of 0 shares
/// one matrix between all items.
template <class T>
void gemm_batched(std::int64_t batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n,
                  std::int64_t k, T alpha, const T* a, std::int64_t stride_a, const T* b,
                  std::int64_t stride_b, T beta, T* c);

}  // namespace evenkeel::kernels
