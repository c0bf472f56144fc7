#pragma once

#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/ops/loss.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

namespace evenkeel::detail {

/// Sum over fixed pieces in fixed order; f(i) is the i-th loss. `arrays` are those that f reads at i.
template <class T, class F, class... A>
double sum_of(std::int64_t count, F f, const A*... arrays) {
  const std::int64_t grain = kernels::kMomentBlock, pieces = (count + grain - 1) / grain;
  Workspace<double> sums(static_cast<std::size_t>(pieces));
  parallel_ranges(pieces, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece)
      sums.data()[piece] = static_cast<double>(kernels::sum_lanes<T>(
          std::min(grain, count - piece * grain), [&](std::int64_t i) { return f(piece * grain + i); },
          arrays + piece * grain...));
  });
  double total = 0;
  for (std::int64_t piece = 0; piece < pieces; ++piece) total += sums.data()[piece];
  return total;
}

/// The factor of each element's loss in the result.
inline double mean_factor(const char* op, Reduction reduction, double count) {
  if (reduction != Reduction::mean) return 1;
  if (count == 0)
    throw ValueError(std::string("[") + op +
                     "] expected at least one element that counts for the mean, got none");
  return 1 / count;
}

}  // namespace evenkeel::detail
