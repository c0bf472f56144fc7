#pragma once

#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

/// Cells with their channels side by side: any cell is vectors, wherever strides and dilations put it.
namespace evenkeel::kernels {

inline constexpr std::int64_t kCellLanes = Simd<float>::kLanes;
inline constexpr std::int64_t kWorthMoving = 1 << 14;  ///< elements worth moving on another thread

/// Planes of all images with the channels of a cell side by side: [image][cell][channel], `pitch` apart.
class ChannelsLast {
 public:
  ChannelsLast(std::int64_t images, std::int64_t plane, std::int64_t channels)
      : images_(images),
        plane_(plane),
        channels_(channels),
        pitch_(ceil_div(channels, kCellLanes) * kCellLanes),
        cells_(static_cast<std::size_t>(images * plane * pitch_ + kCellLanes)) {}

  std::int64_t pitch() const { return pitch_; }
  float* image(std::int64_t image) { return cells_.data() + image * plane_ * pitch_; }
  const float* image(std::int64_t image) const { return cells_.data() + image * plane_ * pitch_; }

  /// From planes [image][channel][cell], images `distance` apart.
  void copy(const float* from, std::int64_t distance) {
    each_block([&](std::int64_t image, std::int64_t c, int some) {
      transpose_to_lanes(from + image * distance + c * plane_, plane_, plane_, some, this->image(image) + c,
                         pitch_);
    });
  }

  /// To such planes, added to what is there with `add`.
  void copy_to(float* to, std::int64_t distance, bool add) const {
    each_block([&](std::int64_t image, std::int64_t c, int some) {
      float block[kCellLanes * kCellLanes];
      for (std::int64_t cell = 0; cell < plane_; cell += kCellLanes) {
        const std::int64_t count = std::min(plane_ - cell, kCellLanes);
        transpose_to_lanes(this->image(image) + cell * pitch_ + c, pitch_, some, static_cast<int>(count),
                           block, kCellLanes);
        float* row = to + image * distance + c * plane_ + cell;
        for (int r = 0; r < some; ++r, row += plane_) {
          auto value = Simd<float>::load(block + r * kCellLanes);
          if (add) value += Simd<float>::load_between(row, 0, 0, count);
          Simd<float>::store_some(row, value, count);
        }
      }
    });
  }

 private:
  template <class F>
  void each_block(F&& f) const {
    const std::int64_t blocks = pitch_ / kCellLanes;
    detail::parallel_shares(images_ * blocks,
                            ceil_div(kWorthMoving, std::max<std::int64_t>(plane_, 1) * kCellLanes),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const std::int64_t c = i % blocks * kCellLanes;
                                f(i / blocks, c, static_cast<int>(std::min(channels_ - c, kCellLanes)));
                              }
                            });
  }

  std::int64_t images_, plane_, channels_, pitch_;
  detail::Workspace<float> cells_;
};

/// Which cells the outputs read, as offsets into an image of ChannelsLast.
class CellOffsets {
 public:
  CellOffsets(const Correlation& shape, std::int64_t pitch) : out_(shape.out) {
    const Sizes3 distance{shape.source[1] * shape.source[2] * pitch, shape.source[2] * pitch, pitch};
    for (int axis = 0; axis < 3; ++axis)
      for (const std::int64_t at : shape.at[axis])
        for (std::int64_t q = 0; q < out_[axis]; ++q) {
          const std::int64_t cell = q * shape.step[axis] + at;
          along_[axis].push_back(cell < 0 || cell >= shape.source[axis] ? -1 : cell * distance[axis]);
        }
    for (std::size_t d = 0; d < shape.at[0].size(); ++d)
      for (std::size_t h = 0; h < shape.at[1].size(); ++h)
        for (std::size_t w = 0; w < shape.at[2].size(); ++w)
          taps_.push_back({along_[0].data() + static_cast<std::int64_t>(d) * out_[0],
                           along_[1].data() + static_cast<std::int64_t>(h) * out_[1],
                           along_[2].data() + static_cast<std::int64_t>(w) * out_[2]});
  }

  /// An output's place in its image.
  Sizes3 place(std::int64_t output) const {
    return {output / (out_[1] * out_[2]), output / out_[2] % out_[1], output % out_[2]};
  }
  /// Of the cell that it reads by a tap, negative outside the source.
  std::int64_t offset(const Sizes3& place, std::int64_t tap) const {
    const auto& along = taps_[tap];
    const std::int64_t d = along[0][place[0]], h = along[1][place[1]], w = along[2][place[2]];
    return (d | h | w) < 0 ? -1 : d + h + w;
  }

 private:
  Sizes3 out_;
  ScratchVector<std::int64_t> along_[3];
  std::vector<std::array<const std::int64_t*, 3>> taps_;
};

/// The cells of a group's channels and which of them the outputs of all images read.
class CellSource {
 public:
  CellSource(const Correlation& shape, std::int64_t images, std::int64_t channels)
      : cells_(images, product(shape.source), channels),
        offsets_(shape, cells_.pitch()),
        outputs_(product(shape.out)),
        nothing_(static_cast<std::size_t>(cells_.pitch() + kCellLanes)) {}

  void copy(const float* from, std::int64_t distance) { cells_.copy(from, distance); }

  struct Place {
    const float* image;
    Sizes3 at;
  };
  /// `output` counts through all images.
  Place place(std::int64_t output) const {
    return {cells_.image(output / outputs_), offsets_.place(output % outputs_)};
  }
  /// The channels of the cell that an output reads by a tap; zeros outside.
  const float* cell(const Place& p, std::int64_t tap) const {
    const std::int64_t offset = offsets_.offset(p.at, tap);
    return offset < 0 ? nothing() : p.image + offset;
  }
  const float* nothing() const { return nothing_.data(); }

 private:
  ChannelsLast cells_;
  CellOffsets offsets_;
  std::int64_t outputs_;
  ScratchVector<float> nothing_;
};

}  // namespace evenkeel::kernels
