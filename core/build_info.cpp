#include <evenkeel/core/build_info.h>
#include <evenkeel/core/kernels/blas.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

namespace evenkeel {

namespace {

#ifdef EVENKEEL_PORTABLE
constexpr const char* kTuning = "portable";
#else
constexpr const char* kTuning = "tuned to the building machine";
#endif

}  // namespace

std::string build_info() {
  return fmt::format("evenkeel {}, g++ {}, {}, {}-bit vectors, BLAS {}, {} threads", EVENKEEL_VERSION,
                     __VERSION__, kTuning, 8 * kernels::kVectorBytes, kernels::blas_core(), num_threads());
}

}  // namespace evenkeel
