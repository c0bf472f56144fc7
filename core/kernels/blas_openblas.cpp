#include <evenkeel/core/kernels/blas.h>

#include <cblas.h>
#include <cstdlib>
#include <string_view>
#include <type_traits>

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

CBLAS_TRANSPOSE transposition(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

}  // namespace

template <class T>
void blas_gemm(bool trans_a, bool trans_b, int m, int n, int k, T alpha, const T* a, int lda, const T* b,
               int ldb, T beta, T* c, int ldc) {
  const auto product = [] {
    if constexpr (std::is_same_v<T, float>)
      return cblas_sgemm;
    else
      return cblas_dgemm;
  }();
  product(CblasRowMajor, transposition(trans_a), transposition(trans_b), m, n, k, alpha, a, lda, b, ldb, beta,
          c, ldc);
}

template void blas_gemm(bool, bool, int, int, int, float, const float*, int, const float*, int, float, float*,
                        int);
template void blas_gemm(bool, bool, int, int, int, double, const double*, int, const double*, int, double,
                        double*, int);

std::string blas_core() { return std::string("OpenBLAS ") + openblas_get_corename(); }

}  // namespace evenkeel::kernels
