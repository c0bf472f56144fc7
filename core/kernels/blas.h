#pragma once

#include <string>

// What gemm.cpp asks of the library that multiplies matrices. One of the blas_*.cpp implements it:
// EVENKEEL_BLAS.

namespace evenkeel::kernels {

/// gemm() for sides of at least 1 and leading dimensions that the matrices' rows fit into.
template <class T>
void blas_gemm(bool trans_a, bool trans_b, int m, int n, int k, T alpha, const T* a, int lda, const T* b,
               int ldb, T beta, T* c, int ldc);

/// The library and what it was set up for, such as "OpenBLAS SkylakeX" or "Eigen 3.4.0".
std::string blas_core();

}  // namespace evenkeel::kernels
