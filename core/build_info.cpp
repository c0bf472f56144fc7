#include <evenkeel/core/build_info.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

namespace evenkeel {

namespace {

#ifdef EVENKEEL_PORTABLE
constexpr const char* kTuning = "portable (x86-64-v2)";
#else
constexpr const char* kTuning = "tuned to the building machine";
#endif

int vector_bits() {
#ifdef EVENKEEL_PORTABLE
  if (__builtin_cpu_supports("x86-64-v4")) return 512;
  return __builtin_cpu_supports("x86-64-v3") ? 256 : 128;
#elif defined(__AVX512F__)
  return 512;
#elif defined(__AVX2__)
  return 256;
#else
  return 128;
#endif
}

}  // namespace

std::string build_info() {
  return fmt::format("evenkeel {}, g++ {}, {}, {}-bit vectors, BLAS {}, {} threads", EVENKEEL_VERSION,
                     __VERSION__, kTuning, vector_bits(), kernels::blas_core(), num_threads());
}

}  // namespace evenkeel
