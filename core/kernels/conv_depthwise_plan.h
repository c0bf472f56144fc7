#pragma once

#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/scratch.h>

#include <cstdint>
#include <vector>

namespace evenkeel::kernels {

/// Which row and which cells of a source plane meet which of a target plane's, for all planes of a depthwise
/// convolution alike.
struct DepthwisePlan {
  /// A tap of the last axis: results q of a phase read cell q * step + shift.
  struct Tap {
    std::int64_t shift;
    std::int64_t weight;
  };

  /// A source row that goes into a target row, and which of the other axes' taps it meets.
  struct Line {
    std::int64_t row;
    std::int64_t tap;
  };

  /// A target row and the source row that it meets at some tap of the other axes.
  struct Meeting {
    std::int64_t target, source;
  };

  /// Results read cells out * step + at of each axis; with `turned`, results are the cells and read the outs.
  DepthwisePlan(const ConvGeometry& g, bool turned) : kernel(g.kernel[g.rank - 1]) {
    const Correlation c = forward_correlation(g);
    target = turned ? c.source : c.out;
    source = turned ? c.out : c.source;
    step = turned ? 1 : static_cast<int>(c.step[2]);
    phases = turned ? static_cast<int>(c.step[2]) : 1;
    other_taps = c.at[0].size() * c.at[1].size();
    for (std::int64_t d = 0; d < target[0]; ++d)
      for (std::int64_t h = 0; h < target[1]; ++h) add_row(c, turned, d, h);
    taps.resize(static_cast<std::size_t>(phases));
    for (int phase = 0; phase < phases; ++phase)
      for (std::int64_t k = 0; k < kernel; ++k) {
        const std::int64_t at = c.at[2][k];
        if (!turned)
          taps[phase].push_back({at, k});
        else if ((phase - at) % phases == 0)
          taps[phase].push_back({(phase - at) / phases, k});
      }
  }

  std::int64_t rows() const { return target[0] * target[1]; }

  /// By tap of the other axes.
  std::vector<ScratchVector<Meeting>> meetings() const {
    std::vector<ScratchVector<Meeting>> all(other_taps);
    for (std::int64_t row = 0; row < rows(); ++row)
      for (std::size_t i = first_line[row]; i < first_line[row + 1]; ++i)
        all[lines[i].tap].push_back({row, lines[i].row});
    return all;
  }

  Sizes3 target, source;
  std::int64_t kernel;
  int step, phases;
  std::size_t other_taps;  ///< of all axes but the last
  ScratchVector<Line> lines;
  ScratchVector<std::size_t> first_line{0};  ///< of each target row, and the end
  std::vector<std::vector<Tap>> taps;        ///< of each phase

 private:
  void add_row(const Correlation& c, bool turned, std::int64_t d, std::int64_t h) {
    const auto source_of = [&](int axis, std::int64_t result, std::size_t tap) {
      const std::int64_t at = c.at[axis][tap];
      if (!turned) return result * c.step[axis] + at;
      return (result - at) % c.step[axis] == 0 ? (result - at) / c.step[axis] : -1;
    };
    for (std::size_t kd = 0; kd < c.at[0].size(); ++kd)
      for (std::size_t kh = 0; kh < c.at[1].size(); ++kh) {
        const std::int64_t from_d = source_of(0, d, kd), from_h = source_of(1, h, kh);
        if (from_d < 0 || from_d >= source[0] || from_h < 0 || from_h >= source[1]) continue;
        lines.push_back({from_d * source[1] + from_h, static_cast<std::int64_t>(kd * c.at[1].size() + kh)});
      }
    first_line.push_back(lines.size());
  }
};

}  // namespace evenkeel::kernels
