#pragma once

#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

/// What a direct path is asked for: `rows` results a group from `channels` source channels a group.
template <class T>
struct ConvPass {
  Correlation shape;
  std::vector<Phase> phases;  ///< in the order of their starts, the last axis fastest
  std::int64_t images, groups, channels, rows;
  const T* source;
  // Distances of w's elements; taps are neighbours.
  const T* w;
  std::int64_t group_stride, row_stride, channel_stride;
  T* target;
  Sizes3 size, step;
  const T* bias;
  T beta;

  micro::Weights<T> weights() const { return {w, group_stride, row_stride, channel_stride, shape.taps()}; }

  /// Of the phase that has most.
  std::int64_t most_taps() const {
    std::size_t most = 1;
    for (const Phase& phase : phases) most = std::max(most, phase.tap.size());
    return static_cast<std::int64_t>(most);
  }
};

/// to[i * phases + p] = from[p * pitch + i], or += with add, for the first `total` elements of `to`.
template <class T>
void weave(const T* from, std::int64_t pitch, std::int64_t phases, std::int64_t total, bool add, T* to) {
  using S = Simd<T>;
  const auto put = [&](std::int64_t at, typename S::Vector value) {
    if (at >= total) return;
    if (add) value += S::load_between(to, at, 0, total);
    S::store_some(to + at, value, total - at);
  };
  if (phases == 1) {
    for (std::int64_t i = 0; i < total; i += S::kLanes) put(i, S::load(from + i));
  } else if (phases == 2) {
    for (std::int64_t i = 0; 2 * i < total; i += S::kLanes) {
      const auto even = S::load(from + i);
      const auto odd = S::load(from + pitch + i);
      put(2 * i, interleave<T, 0>(even, odd));
      put(2 * i + S::kLanes, interleave<T, 1>(even, odd));
    }
  } else {
    for (std::int64_t p = 0; p < phases; ++p)
      for (std::int64_t i = 0; i * phases + p < total; ++i)
        to[i * phases + p] = add ? to[i * phases + p] + from[p * pitch + i] : from[p * pitch + i];
  }
}

/// Results [row_begin, row_end) of a tile to their places in `planes`, phases woven together. They lie in
/// `results` as [phase][row][`ld` outputs], a row of outputs from row_at(image, depth, row) on, and may be
/// read up to a vector beyond their end.
template <class T, class RowAt>
void deliver(const ConvPass<T>& pass, const Tile& t, const T* results, std::int64_t ld, RowAt&& row_at,
             std::int64_t row_begin, std::int64_t row_end, T* planes) {
  const std::int64_t side_by_side = std::min(pass.step[2], pass.size[2]);  // phases that share rows
  const auto phases = static_cast<std::int64_t>(pass.phases.size());
  const std::int64_t begin = t.begin[2] * pass.step[2];
  std::int64_t length = std::min(t.count[2] * pass.step[2], pass.size[2] - begin);
  std::int64_t lines = t.count[1];
  // Whole rows that follow one another here as there are one.
  if (phases == 1 && length == pass.size[2] && row_at(0, 0, lines) == row_at(0, 0, 0) + lines * length)
    length *= std::exchange(lines, 1);
  for (std::int64_t image = 0; image < t.images; ++image)
    for (std::int64_t row = row_begin; row < row_end; ++row) {
      T* plane = planes + (image * pass.groups * pass.rows + row) * product(pass.size);
      for (std::int64_t d = 0; d < t.count[0]; ++d)
        for (std::int64_t h = 0; h < lines; ++h)
          for (std::int64_t phase = 0; phase < phases; phase += side_by_side) {
            const Sizes3& start = pass.phases[phase].start;
            const std::int64_t to_d = start[0] + (t.begin[0] + d) * pass.step[0];
            const std::int64_t to_h = start[1] + (t.begin[1] + h) * pass.step[1];
            if (to_d >= pass.size[0] || to_h >= pass.size[1]) continue;
            weave(results + (phase * pass.rows + row) * ld + row_at(image, d, h), pass.rows * ld,
                  side_by_side, length, pass.beta != T(0),
                  plane + (to_d * pass.size[1] + to_h) * pass.size[2] + begin);
          }
    }
}

}  // namespace evenkeel::kernels
