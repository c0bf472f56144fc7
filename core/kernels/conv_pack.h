#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
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

}  // namespace evenkeel::kernels::micro
