#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_tile.h>

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

}  // namespace evenkeel::kernels
