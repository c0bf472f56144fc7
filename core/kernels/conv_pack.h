#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>

namespace evenkeel::kernels::micro {

/// The weights of a row block side by side, for packing them in the order that output_block reads: element
/// (row, channel, tap) of w is row * row_stride + channel * channel_stride + tap.
template <class T>
class RowLanes {
 public:
  RowLanes(std::int64_t row_stride, std::int64_t channel_stride, std::int64_t taps)
      : row_stride_(row_stride),
        channel_stride_(channel_stride),
        taps_(taps),
        at_once_(channel_stride == taps && row_stride != 1 ? ceil_div(kAtOnce, taps) : 1),
        lanes_(static_cast<std::size_t>(at_once_ * taps * kPitch)) {}

  /// Calls put(channel, lanes) for each channel below `channels`; lanes[tap * kPitch + row] are its weights.
  template <class Put>
  void each_channel(const T* w, std::int64_t rows, std::int64_t channels, Put&& put) {
    for (std::int64_t c = 0; c < channels; c += at_once_) {
      const std::int64_t some = std::min(at_once_, channels - c);
      for (std::int64_t r = 0; r < rows; r += S::kLanes) {
        const std::int64_t wide = std::min<std::int64_t>(S::kLanes, rows - r);
        const T* from = w + c * channel_stride_ + r * row_stride_;
        if (row_stride_ == 1)  // then a channel has one tap, and its rows are neighbours already
          S::store(lanes_.data() + r, S::load_between(from, 0, 0, wide));
        else
          transpose_to_lanes(from, row_stride_, some * taps_, static_cast<int>(wide), lanes_.data() + r,
                             kPitch);
      }
      for (std::int64_t i = 0; i < some; ++i) put(c + i, lanes_.data() + i * taps_ * kPitch);
    }
  }

  /// Distance of taps.
  static constexpr std::int64_t kPitch = ceil_div(kMaxRows, Simd<T>::kLanes) * Simd<T>::kLanes;

 private:
  using S = Simd<T>;
  static constexpr std::int64_t kAtOnce = 256;  ///< weights of a row, where channels follow one another

  std::int64_t row_stride_, channel_stride_, taps_, at_once_;
  detail::Workspace<T> lanes_;
};

/// The weights of a pass: row r, channel c, tap t of group g is data[g * group_stride + r * row_stride +
/// c * channel_stride + t].
template <class T>
struct Weights {
  const T* data;
  std::int64_t group_stride, row_stride, channel_stride, taps;
};

/// Calls pack_block(group, block, first, channels, from, lanes) for each group, row block and block of
/// channels, shared out over the threads; `from` and `lanes` are what each_channel is to be called with. A
/// block of `blocks` has `unit` rows for each of its own, `rows` in all. Where a channel's rows are
/// neighbours and channels far apart (gradients of the input), a block by itself would read little of many
/// pages: the rows of several blocks are brought together first.
template <class T, class PackBlock>
void pack_blocks(const Weights<T>& w, std::int64_t groups, std::int64_t channels, std::int64_t block_channels,
                 const RowBlocks& blocks, std::int64_t unit, std::int64_t rows, PackBlock&& pack_block) {
  constexpr std::int64_t kWorthAPiece = 1 << 13, kMostTogether = 16;
  constexpr std::int64_t kFar = 4096 / sizeof(T), kNearCells = (128 << 10) / sizeof(T);
  const bool far = w.row_stride == w.taps && w.channel_stride >= kFar;
  const std::int64_t line = ceil_div(blocks.rows, blocks.count) * unit * w.taps;
  const std::int64_t together =
      far ? std::clamp<std::int64_t>(kNearCells / (block_channels * line), 1, kMostTogether) : 1;
  const std::int64_t pitch = far ? together * line + Simd<T>::kLanes : w.channel_stride;
  const std::int64_t grain = std::max(ceil_div(kWorthAPiece, channels * line), together);
  detail::parallel_ranges(groups * blocks.count, grain, [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> near(far ? static_cast<std::size_t>(block_channels * pitch) : 0);
    RowLanes<T> lanes(w.row_stride, pitch, w.taps);
    for (std::int64_t i = begin, next; i < end; i = next) {
      const std::int64_t group = i / blocks.count, before = group * blocks.count;
      next = std::min({end, before + blocks.count, i + together});
      const std::int64_t row = blocks.begin(i - before) * unit;
      const std::int64_t count = std::min(blocks.begin(next - before) * unit, rows) - row;
      for (std::int64_t c = 0; c < channels; c += block_channels) {
        const std::int64_t some = std::min(block_channels, channels - c);
        const T* from = w.data + group * w.group_stride + row * w.row_stride + c * w.channel_stride;
        for (std::int64_t channel = 0; far && channel < some; ++channel)
          std::copy_n(from + channel * w.channel_stride, count * w.taps, near.data() + channel * pitch);
        if (far) from = near.data();
        for (std::int64_t block = i - before; block < next - before; ++block)
          pack_block(group, block, c, some, from + (blocks.begin(block) * unit - row) * w.row_stride, lanes);
      }
    }
  });
}

}  // namespace evenkeel::kernels::micro
