#include <evenkeel/core/kernels/blas.h>

#include <type_traits>

// False alarms in AVX-512's intrinsics, GCC bug 105593.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

// Eigen's functions are templates in headers, compiled here for our processor flags. Under its own name the
// linker would merge them with those of a user's program, which may be compiled for others and then packs
// matrices differently.
#define Eigen evenkeel_eigen
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

namespace evenkeel::kernels {

namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
auto matrix(T* data, int rows, int columns, int distance) {
  using Plain = Matrix<std::remove_const_t<T>>;
  using Wanted = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;
  return Eigen::Map<Wanted, Eigen::Unaligned, Eigen::OuterStride<>>(data, rows, columns,
                                                                    Eigen::OuterStride<>(distance));
}

}  // namespace

template <class T>
void blas_gemm(bool trans_a, bool trans_b, int m, int n, int k, T alpha, const T* a, int lda, const T* b,
               int ldb, T beta, T* c, int ldc) {
  auto to = matrix(c, m, n, ldc);
  if (beta == T(0))
    to.setZero();
  else if (beta != T(1))
    to *= beta;
  const auto stored_a = trans_a ? matrix(a, k, m, lda) : matrix(a, m, k, lda);
  const auto stored_b = trans_b ? matrix(b, n, k, ldb) : matrix(b, k, n, ldb);
  if (trans_a && trans_b)
    to.noalias() += alpha * stored_a.transpose() * stored_b.transpose();
  else if (trans_a)
    to.noalias() += alpha * stored_a.transpose() * stored_b;
  else if (trans_b)
    to.noalias() += alpha * stored_a * stored_b.transpose();
  else
    to.noalias() += alpha * stored_a * stored_b;
}

template void blas_gemm(bool, bool, int, int, int, float, const float*, int, const float*, int, float, float*,
                        int);
template void blas_gemm(bool, bool, int, int, int, double, const double*, int, const double*, int, double,
                        double*, int);

std::string blas_core() {
  return "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}

}  // namespace evenkeel::kernels
