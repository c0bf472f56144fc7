#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

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

/// Hands out pieces 0 … pieces-1. Each of some takers has an equal part of them, neighbours together, and
/// then gets what others have left: the same part of one job after another finds in a processor's cache what
/// it left there.
class WorkShares {
 public:
  explicit WorkShares(int takers) : shares_(static_cast<std::size_t>(takers)) {}
  WorkShares(int takers, std::int64_t pieces) : WorkShares(takers) { share_out(pieces); }

  int takers() const { return static_cast<int>(shares_.size()); }
  void share_out(std::int64_t pieces);
  /// The taker's next piece; -1 where none is left at all.
  std::int64_t take(int taker);
  /// Leaves nothing to take.
  void clear();

 private:
  /// Pieces of a taker that nobody has yet.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  std::vector<Share> shares_;
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

/// Runs work(worker, piece) for piece = 0 … pieces-1 on up to `threads` threads, each of which has made
/// itself a worker with make_worker(): scratch memory that serves one piece after another.
template <class MakeWorker, class Work>
void parallel_workers(std::int64_t pieces, std::int64_t threads, MakeWorker&& make_worker, Work&& work) {
  WorkShares shares(static_cast<int>(std::clamp<std::int64_t>(threads, 1, num_threads())), pieces);
  parallel_for(shares.takers(), [&](std::int64_t taker) {
    std::int64_t piece = shares.take(static_cast<int>(taker));
    if (piece < 0) return;
    auto worker = make_worker();
    for (; piece >= 0; piece = shares.take(static_cast<int>(taker))) work(worker, piece);
  });
}

/// Cuts [0, count) in pieces of `grain` elements and runs f(begin, end) for each: for work whose result
/// depends on where it is cut.
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

/// Cuts [0, count) in pieces of at most `grain` elements, rounded up to whole units, and runs f(begin, end)
/// for each. All are about as large, and every thread gets as many where there are more than threads.
template <class F>
void parallel_shares(std::int64_t count, std::int64_t grain, F&& f, std::int64_t unit = 1) {
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  if (count <= grain) {
    const FlushDenormals flush;
    if (count > 0) f(std::int64_t{0}, count);
    return;
  }
  const std::int64_t units = ceil_div(count, unit), threads = num_threads();
  const std::int64_t least = ceil_div(count, grain);
  const std::int64_t pieces = std::min(least <= threads ? least : ceil_div(least, threads) * threads, units);
  parallel_for(pieces, [&](std::int64_t piece) {
    f(units * piece / pieces * unit, std::min(units * (piece + 1) / pieces * unit, count));
  });
}

}  // namespace detail
}  // namespace evenkeel
