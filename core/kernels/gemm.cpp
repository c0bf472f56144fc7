#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <cblas.h>
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>

// Only OpenBLAS built for several cores has these; another BLAS links without them.
extern "C" {
[[gnu::weak]] void gotoblas_dynamic_init(void);
[[gnu::weak]] void gotoblas_dynamic_quit(void);
}

namespace evenkeel::kernels {

namespace {

/// OpenBLAS knows the processors of its day; on a later one it falls back to weaker kernels than the
/// processor can run (SSE or AVX2 kernels on AVX-512). Chooses again when that happened and the user did not
/// choose.
bool set_up_blas() {
  openblas_set_num_threads(1);
  if (&gotoblas_dynamic_init == nullptr || &gotoblas_dynamic_quit == nullptr) return true;
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return true;
  const std::string_view core = openblas_get_corename();
  const bool avx512 = core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids";
  const bool avx2 = core == "Haswell" || core == "Zen";
  const char* better = nullptr;
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    if (!avx512) better = "SkylakeX";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    if (!avx2 && !avx512) better = "Haswell";
  }
  if (better == nullptr) return true;
  setenv("OPENBLAS_CORETYPE", better, 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv("OPENBLAS_CORETYPE");
  return true;
}

// While the program loads, before any thread of ours can be inside the BLAS.
const bool blas_ready = set_up_blas();

void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha, const float* a, int lda,
          const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha, const double* a, int lda,
          const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/// Multiply-adds worth handing to another thread.
constexpr double kWorthAPiece = 1 << 20;
constexpr std::int64_t kMaxPieces = 16;
constexpr std::int64_t kPieceMultiple = 16;
/// Rows or columns: for each piece the BLAS packs what pieces share anew. Halves may be shorter.
constexpr std::int64_t kLeastPiece = 192, kLeastHalf = 128;

}  // namespace

std::string blas_core() { return std::string("OpenBLAS ") + openblas_get_corename(); }

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
    return;
  }
  if (std::max({m, n, k, lda, ldb, ldc}) > std::numeric_limits<int>::max())
    throw ValueError("[gemm] expected matrix sides below 2^31, got " + std::to_string(std::max({m, n, k})));
  const detail::FlushDenormals flush;
  const auto side = [](std::int64_t value) { return static_cast<int>(std::max<std::int64_t>(value, 1)); };
  call(trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans, side(m), side(n), side(k),
       alpha, a, side(lda), b, side(ldb), beta, c, side(ldc));
}

template <class T>
void gemm_parallel(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                   const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                   std::int64_t ldc) {
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const std::int64_t longer = std::max(m, n);
  const auto wanted = static_cast<std::int64_t>(std::min(work / kWorthAPiece, double(kMaxPieces)));
  const std::int64_t most =
      std::max({longer / kLeastPiece, std::min<std::int64_t>(longer / kLeastHalf, 2), std::int64_t{1}});
  const std::int64_t pieces = std::clamp<std::int64_t>(wanted, 1, most);
  const std::int64_t chunk =
      std::max<std::int64_t>(ceil_div(ceil_div(longer, pieces), kPieceMultiple) * kPieceMultiple, 1);
  detail::parallel_ranges(longer, chunk, [&](std::int64_t begin, std::int64_t end) {
    if (m > n)
      gemm(trans_a, trans_b, end - begin, n, k, alpha, a + begin * (trans_a ? 1 : lda), lda, b, ldb, beta,
           c + begin * ldc, ldc);
    else
      gemm(trans_a, trans_b, m, end - begin, k, alpha, a, lda, b + begin * (trans_b ? ldb : 1), ldb, beta,
           c + begin, ldc);
  });
}

template <class T>
void gemm_batched(std::int64_t batch, bool trans_a, bool trans_b, std::int64_t m, std::int64_t n,
                  std::int64_t k, T alpha, const T* a, std::int64_t stride_a, const T* b,
                  std::int64_t stride_b, T beta, T* c) {
  const std::int64_t lda = trans_a ? m : k;
  const std::int64_t ldb = trans_b ? k : n;
  const auto one = [&](std::int64_t i, auto&& product) {
    product(trans_a, trans_b, m, n, k, alpha, a + i * stride_a, lda, b + i * stride_b, ldb, beta,
            c + i * m * n, n);
  };
  if (batch == 1) return one(0, gemm_parallel<T>);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto grain = static_cast<std::int64_t>(std::clamp(kWorthAPiece / std::max(work, 1.0), 1.0, 1e9));
  detail::parallel_ranges(batch, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) one(i, gemm<T>);
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                                       \
  template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, T, const T*, std::int64_t, \
                     const T*, std::int64_t, T, T*, std::int64_t);                                    \
  template void gemm_parallel(bool, bool, std::int64_t, std::int64_t, std::int64_t, T, const T*,      \
                              std::int64_t, const T*, std::int64_t, T, T*, std::int64_t);             \
  template void gemm_batched(std::int64_t, bool, bool, std::int64_t, std::int64_t, std::int64_t, T,   \
                             const T*, std::int64_t, const T*, std::int64_t, T, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
