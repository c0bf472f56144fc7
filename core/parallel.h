#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace evenkeel {

/// Threads that the process's one pool uses, the caller's included. Default: the number of cores. Where there
/// are processors for all of them, the others keep off the caller's.
int num_threads();
/// Sets the number of threads, 1 … 256. ConfigError otherwise. Results do not depend on it, to the bit.
void set_num_threads(int threads);

/// Whether kernels take subnormal numbers (below 1.2e-38 in f32) as zero; on by default, since they slow a
/// processor down up to a hundredfold. The setting holds inside the library only, never in the caller's code.
void set_flush_denormals(bool flush);

namespace detail {

/// Applies set_flush_denormals to this thread until the scope ends.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned before_;
};

using PieceFunction = void (*)(void* context, std::int64_t piece);
void parallel_pieces(std::int64_t pieces, PieceFunction function, void* context);

/// Runs f(piece) for piece = 0 … pieces-1, in any order, on all threads; returns when all are done and
/// rethrows the first error. Where pieces hold parts of one sum, how work is cut must not depend on the
/// number of threads, and the parts are added in the order of the pieces: so results have the same bits at
/// any thread count. Nested calls run on the calling thread.
template <class F>
void parallel_for(std::int64_t pieces, F&& f) {
  using Function = std::remove_reference_t<F>;
  parallel_pieces(
      pieces, [](void* context, std::int64_t piece) { (*static_cast<Function*>(context))(piece); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

/// Cuts [0, count) in pieces of `grain` elements and runs f(begin, end) for each.
template <class F>
void parallel_ranges(std::int64_t count, std::int64_t grain, F&& f) {
  if (count <= grain) {
    const FlushDenormals flush;
    if (count > 0) f(std::int64_t{0}, count);
    return;
  }
  parallel_for((count + grain - 1) / grain, [&](std::int64_t piece) {
    const std::int64_t begin = piece * grain;
    f(begin, begin + grain < count ? begin + grain : count);
  });
}

}  // namespace detail
}  // namespace evenkeel
