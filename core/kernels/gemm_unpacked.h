#pragma once

#include <evenkeel/core/kernels/gemm_start.h>

#include <cstdint>

namespace evenkeel::kernels {

/// Whether so few rows of a meet b, or so few of b a, that packing would cost more than the products.
bool gemm_dots_pays(std::int64_t m, std::int64_t n, std::int64_t k);

/// c = start + a * bᵀ in f32, a is m x k, b is n x k: dot products of rows as they lie in memory, nothing
/// is packed. The order of a sum depends on k alone.
void gemm_dots(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
               const float* b, std::int64_t ldb, const GemmStart<float>& start, float* c, std::int64_t ldc);

/// The same for gemm_streams().
bool gemm_streams_pays(std::int64_t m, std::int64_t n, std::int64_t k);

/// c = start + op(a) * b in f32, op(a) is m x k, b is k x n: rows of b pass by as they lie in memory. The
/// order of a sum depends on k alone.
void gemm_streams(bool trans_a, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                  std::int64_t lda, const float* b, std::int64_t ldb, const GemmStart<float>& start, float* c,
                  std::int64_t ldc);

}  // namespace evenkeel::kernels
