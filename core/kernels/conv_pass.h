#pragma once

#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

/// Share of the lanes that `count` results, or cells, fill in whole vectors.
inline double lanes_filled(std::int64_t count) {
  constexpr std::int64_t kLanes = Simd<float>::kLanes;
  return static_cast<double>(count) / static_cast<double>(ceil_div(count, kLanes) * kLanes);
}

/// What forward and input gradient have in common: `rows` results a group from `channels` source channels a
/// group.
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

  /// Channels that make sums of about `length` products, in the mean of the phases.
  std::int64_t channels_of_sum(std::int64_t length) const {
    const auto count = static_cast<std::int64_t>(phases.size());
    return std::clamp<std::int64_t>(length * count / shape.taps(), 1, length);
  }
};

/// y = x * w + bias as a pass.
template <class T>
ConvPass<T> forward_pass(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups, taps = shape.taps();
  Phase all;
  for (std::int64_t tap = 0; tap < taps; ++tap) all.tap.push_back(tap);
  return {.shape = shape,
          .phases = {all},
          .images = g.batch,
          .groups = g.groups,
          .channels = ins,
          .rows = outs,
          .source = x,
          .w = w,
          .group_stride = outs * ins * taps,
          .row_stride = ins * taps,
          .channel_stride = taps,
          .target = y,
          .size = shape.out,
          .step = {1, 1, 1},
          .bias = bias,
          .beta = T(0)};
}

/// gx from gy with the weights turned round, once for each residue of gx's cells modulo the stride.
template <class T>
ConvPass<T> input_grad_pass(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  std::vector<Phase> phases;
  const Correlation shape = input_grad_correlation(g, phases);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups, taps = shape.taps();
  return {.shape = shape,
          .phases = std::move(phases),
          .images = g.batch,
          .groups = g.groups,
          .channels = outs,
          .rows = ins,
          .source = gy,
          .w = w,
          .group_stride = outs * ins * taps,
          .row_stride = taps,
          .channel_stride = ins * taps,
          .target = gx,
          .size = as_volume(g.rank, g.in, 1),
          .step = as_volume(g.rank, g.stride, 1),
          .bias = nullptr,
          .beta = beta};
}

/// to[i * kPhases + p] = from[p * pitch + i], or += with add, for the first `total` elements of `to`; a
/// vector of `from` beyond that may be read.
template <int kPhases, class T>
void weave_vectors(const T* from, std::int64_t pitch, std::int64_t total, bool add, T* to) {
  using S = Simd<T>;
  const auto step = [&]<bool kWhole>(std::int64_t i) {
    typename S::Vector v[kPhases];
    for (int p = 0; p < kPhases; ++p) v[p] = S::load(from + p * pitch + i);
    const auto put = [&](std::int64_t at, typename S::Vector value) {
      if (kWhole) return S::store(to + at, add ? value + S::load(to + at) : value);
      if (at >= total) return;
      S::store_some(to + at, add ? value + S::load_between(to, at, 0, total) : value, total - at);
    };
    [&]<int... kPart>(std::integer_sequence<int, kPart...>) {
      (put(i * kPhases + kPart * S::kLanes, woven<T, kPart>(v)), ...);
    }
    (std::make_integer_sequence<int, kPhases>{});
  };
  std::int64_t i = 0;
  for (; (i + S::kLanes) * kPhases <= total; i += S::kLanes) step.template operator()<true>(i);
  if (i * kPhases < total) step.template operator()<false>(i);
}

template <class T>
void weave_scalars(const T* from, std::int64_t pitch, std::int64_t phases, std::int64_t total, bool add,
                   T* to) {
  for (std::int64_t p = 0; p < phases; ++p)
    for (std::int64_t i = 0; i * phases + p < total; ++i)
      to[i * phases + p] = add ? to[i * phases + p] + from[p * pitch + i] : from[p * pitch + i];
}

/// Results [row_begin, row_end) of a tile to their places in `planes`, phases woven together. They lie in
/// `results` as [phase][row][`ld` outputs], phases `pitch` apart, a row of outputs from
/// row_at(image, depth, row) on, and may be read up to a vector beyond their end.
template <class T, class RowAt>
void deliver(const ConvPass<T>& pass, const Tile& t, const T* results, std::int64_t pitch, std::int64_t ld,
             RowAt&& row_at, std::int64_t row_begin, std::int64_t row_end, T* planes) {
  constexpr int kMostVectors = 8;
  const std::int64_t side_by_side = std::min(pass.step[2], pass.size[2]);  // phases that share rows
  const auto phases = static_cast<std::int64_t>(pass.phases.size());
  const std::int64_t begin = t.begin[2] * pass.step[2];
  std::int64_t length = std::min(t.count[2] * pass.step[2], pass.size[2] - begin);
  std::int64_t lines = t.count[1];
  // Whole rows that follow one another here as there are one.
  if (phases == 1 && length == pass.size[2] && row_at(0, 0, lines) == row_at(0, 0, 0) + lines * length)
    length *= std::exchange(lines, 1);
  const auto each_line = [&](auto&& weave) {
    for (std::int64_t image = 0; image < t.images; ++image)
      for (std::int64_t row = row_begin; row < row_end; ++row) {
        T* plane = planes + (image * pass.groups * pass.rows + row) * product(pass.size);
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < lines; ++h) {
            const T* from = results + (row - row_begin) * ld + row_at(image, d, h);
            for (std::int64_t phase = 0; phase < phases; phase += side_by_side) {
              const Sizes3& start = pass.phases[phase].start;
              const std::int64_t to_d = start[0] + (t.begin[0] + d) * pass.step[0];
              const std::int64_t to_h = start[1] + (t.begin[1] + h) * pass.step[1];
              if (to_d >= pass.size[0] || to_h >= pass.size[1]) continue;
              T* to = plane + (to_d * pass.size[1] + to_h) * pass.size[2] + begin;
              fetch_to_write(to + product(pass.size), length);
              weave(from + phase * pitch, to);
            }
          }
      }
  };
  const bool add = pass.beta != T(0);
  const auto by_vectors = [&]<int... kLess>(std::integer_sequence<int, kLess...>) {
    return ((side_by_side == kLess + 1 && (each_line([&](const T* from, T* to) {
                                             weave_vectors<kLess + 1>(from, pitch, length, add, to);
                                           }),
                                           true)) ||
            ...);
  };
  if (!by_vectors(std::make_integer_sequence<int, kMostVectors>{}))
    each_line([&](const T* from, T* to) { weave_scalars(from, pitch, side_by_side, length, add, to); });
}

}  // namespace evenkeel::kernels
