#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace evenkeel::kernels {

/// For a gradient of the weights: the outputs of a tile as runs of neighbours, for each row of the kernel
/// (its taps along the last axis) those alone whose cells lie in the source. The others' are zeros.
class TapRuns {
 public:
  /// Runs for every row of the kernel; with `all` every output of the tile, in one list.
  void list(const TilePlan& plan, const Correlation& shape, const Tile& t, bool all = false) {
    const auto high = static_cast<std::int64_t>(shape.at[1].size());
    width_ = all ? shape.taps() : static_cast<std::int64_t>(shape.at[2].size());
    runs_.resize(static_cast<std::size_t>(shape.taps() / width_));
    for (std::size_t row = 0; row < runs_.size(); ++row) {
      const auto tap = static_cast<std::int64_t>(row);
      runs_[row].clear();
      std::int64_t gradient = 0;
      for (std::int64_t image = 0; image < t.images; ++image)
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < t.count[1]; ++h, gradient += t.count[2])
            if (all ||
                (shape.reads(0, t.begin[0] + d, tap / high) && shape.reads(1, t.begin[1] + h, tap % high)))
              add(runs_[row], plan.row_offset(image, d, h), plan.step(), gradient, t.count[2]);
    }
  }

  const std::vector<micro::WeightRun>& of_tap(std::int64_t tap) const { return runs_[tap / width_]; }

 private:
  static void add(std::vector<micro::WeightRun>& runs, std::int64_t source, std::int64_t step,
                  std::int64_t gradient, std::int64_t count) {
    if (!runs.empty() && runs.back().source + runs.back().count * step == source &&
        runs.back().gradient + runs.back().count == gradient)
      runs.back().count += static_cast<std::int32_t>(count);
    else
      runs.push_back({static_cast<std::int32_t>(source), static_cast<std::int32_t>(gradient),
                      static_cast<std::int32_t>(count)});
  }

  std::vector<std::vector<micro::WeightRun>> runs_;
  std::int64_t width_ = 1;
};

/// Fetches what deliver_sums() will write: the weights' rows lie too far apart for the processor to see it
/// coming.
template <class T>
void fetch_weights(const T* to, std::int64_t pitch, std::int64_t outs) {
  for (std::int64_t o = 0; o < outs; ++o) __builtin_prefetch(to + o * pitch, 1);
}

/// Sums of a gradient of the weights, [row][output channel] with rows `ld` apart, at most a vector of rows,
/// to the weights, [output channel][row] with channels `pitch` apart; added to them unless beta is 0.
template <class T>
void deliver_sums(const T* sums, std::int64_t ld, std::int64_t rows, std::int64_t outs, T beta, T* to,
                  std::int64_t pitch) {
  using S = Simd<T>;
  T turned[S::kLanes * S::kLanes];
  for (std::int64_t first = 0; first < outs; first += S::kLanes) {
    const std::int64_t some = std::min<std::int64_t>(S::kLanes, outs - first);
    transpose_to_lanes(sums + first, ld, some, static_cast<int>(rows), turned, S::kLanes);
    for (std::int64_t o = 0; o < some; ++o, to += pitch) {
      auto value = S::load(turned + o * S::kLanes);
      if (beta != T(0)) value += S::load_between(to, 0, 0, rows);
      S::store_some(to, value, rows);
    }
  }
}

}  // namespace evenkeel::kernels
