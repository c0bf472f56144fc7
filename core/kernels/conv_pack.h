#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>
#include <vector>

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

/// The weights of `groups` groups, to be packed in row blocks of `unit` rows for each of `blocks`'s own,
/// `rows` in all, and in blocks of channels.
template <class T>
struct WeightBlocks {
  Weights<T> w;
  std::int64_t groups, channels, block_channels;
  const RowBlocks& blocks;
  std::int64_t unit, rows;

  std::int64_t count() const { return groups * blocks.count; }
  /// Where a channel's rows are neighbours and channels far apart (gradients of the input), a block by itself
  /// would read little of many pages: the rows of several blocks are brought together first.
  bool far() const {
    constexpr std::int64_t kFar = 4096 / sizeof(T);
    return w.row_stride == w.taps && w.channel_stride >= kFar;
  }
  std::int64_t together() const {
    constexpr std::int64_t kNearCells = (128 << 10) / sizeof(T), kMostTogether = 16;
    return far() ? std::clamp<std::int64_t>(kNearCells / (block_channels * line()), 1, kMostTogether) : 1;
  }
  /// Weights of a channel of a block.
  std::int64_t line() const { return ceil_div(blocks.rows, blocks.count) * unit * w.taps; }
};

/// Calls pack_block(group, block, first, channels, from, lanes) for row blocks [begin, end), counted through
/// the groups, and each block of channels; `from` and `lanes` are what each_channel is to be called with.
template <class T, class PackBlock>
void pack_blocks(const WeightBlocks<T>& p, std::int64_t begin, std::int64_t end, PackBlock&& pack_block) {
  const Weights<T>& w = p.w;
  const bool far = p.far();
  const std::int64_t together = p.together(), count = p.blocks.count;
  const std::int64_t pitch = far ? together * p.line() + Simd<T>::kLanes : w.channel_stride;
  detail::Workspace<T> near(far ? static_cast<std::size_t>(p.block_channels * pitch) : 0);
  RowLanes<T> lanes(w.row_stride, pitch, w.taps);
  for (std::int64_t i = begin, next; i < end; i = next) {
    const std::int64_t group = i / count, before = group * count;
    next = std::min({end, before + count, i + together});
    const std::int64_t row = p.blocks.begin(i - before) * p.unit;
    const std::int64_t some_rows = std::min(p.blocks.begin(next - before) * p.unit, p.rows) - row;
    for (std::int64_t c = 0; c < p.channels; c += p.block_channels) {
      const std::int64_t some = std::min(p.block_channels, p.channels - c);
      const T* from = w.data + group * w.group_stride + row * w.row_stride + c * w.channel_stride;
      for (std::int64_t channel = 0; far && channel < some; ++channel)
        std::copy_n(from + channel * w.channel_stride, some_rows * w.taps, near.data() + channel * pitch);
      if (far) from = near.data();
      for (std::int64_t block = i - before; block < next - before; ++block)
        pack_block(group, block, c, some, from + (p.blocks.begin(block) * p.unit - row) * w.row_stride,
                   lanes);
    }
  }
}

/// Packed weights of a pass. Many are shared by its workers; few are packed by each for itself, block by
/// block before it reads them: that takes less time than to wait for another processor and to fetch what it
/// wrote.
template <class T>
class PackedWeights {
 public:
  /// `size`: elements of all.
  explicit PackedWeights(std::int64_t size)
      : size_(size),
        shared_(num_threads() == 1 ||
                size * static_cast<std::int64_t>(sizeof(T)) * num_threads() > kFewBytes),
        memory_(static_cast<std::size_t>(shared_ ? size : 0)) {}

  /// Packs what is shared; pack_block() gets where to in addition.
  template <class PackBlock>
  void pack_shared(const WeightBlocks<T>& weights, PackBlock&& pack_block) {
    constexpr std::int64_t kWorthAPiece = 1 << 13;
    if (!shared_ || size_ == 0) return;
    const std::int64_t grain =
        std::max(ceil_div(kWorthAPiece, weights.channels * weights.line()), weights.together());
    detail::parallel_shares(weights.count(), grain, [&](std::int64_t begin, std::int64_t end) {
      pack_blocks(weights, begin, end, [&](auto&&... args) { pack_block(args..., memory_.data()); });
    });
  }

  /// What one worker reads.
  class OfWorker {
   public:
    explicit OfWorker(const PackedWeights& all)
        : own_(static_cast<std::size_t>(all.shared_ ? 0 : all.size_)),
          data_(all.shared_ ? all.memory_.data() : own_.data()),
          shared_(all.shared_) {}

    /// Packs those of the group's row blocks [first, last) that are not there yet.
    template <class PackBlock>
    void need(const WeightBlocks<T>& weights, std::int64_t group, std::int64_t first, std::int64_t last,
              PackBlock&& pack_block) {
      if (shared_ || packed_ == weights.count()) return;
      there_.resize(static_cast<std::size_t>(weights.count()));
      const auto is_there = [](bool there) { return there; };
      const auto blocks = there_.begin() + group * weights.blocks.count;
      const auto end = blocks + last;
      for (auto begin = std::find_if_not(blocks + first, end, is_there); begin != end;) {
        const auto next = std::find_if(begin, end, is_there);
        pack_blocks(weights, begin - there_.begin(), next - there_.begin(),
                    [&](auto&&... args) { pack_block(args..., own_.data()); });
        std::fill(begin, next, true);
        packed_ += next - begin;
        begin = std::find_if_not(next, end, is_there);
      }
    }

    const T* data() const { return data_; }

   private:
    detail::Workspace<T> own_;
    const T* data_;
    bool shared_;
    std::vector<bool> there_;  ///< of each block
    std::int64_t packed_ = 0;  ///< blocks that are there
  };

 private:
  static constexpr std::int64_t kFewBytes = 1400 << 10;  ///< of all threads

  std::int64_t size_;
  bool shared_;
  detail::Workspace<T> memory_;
};

}  // namespace evenkeel::kernels::micro
