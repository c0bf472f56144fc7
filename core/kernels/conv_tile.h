#pragma once

#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/spatial.h>

#include <array>
#include <cstdint>
#include <vector>

namespace evenkeel::kernels {

/// What all passes of a convolution are made of: output q of an axis reads source cells q * step + at[tap],
/// zero where that lies outside.
struct Correlation {
  Sizes3 source{1, 1, 1};
  Sizes3 out{1, 1, 1};
  Sizes3 step{1, 1, 1};
  std::array<std::vector<std::int64_t>, 3> at;

  std::int64_t taps() const { return static_cast<std::int64_t>(at[0].size() * at[1].size() * at[2].size()); }
};

/// x -> y of `g`.
Correlation forward_correlation(const ConvGeometry& g);

/// A box of outputs of some images.
struct Tile {
  std::int64_t image, images;
  Sizes3 begin, count;
};

/// How the source of a tile of outputs is laid out in scratch memory: padded with zeros, strides taken apart,
/// so that any tap is a view at a fixed offset and 16 neighbouring outputs read 16 neighbouring cells.
/// Layout: [image][channel][slot][row][column]. An axis has one slot for each residue of its taps modulo the
/// step, with room for all shifts, or, where that is smaller, one for each tap.
class TilePlan {
 public:
  enum class Layout {
    shared,   ///< taps share cells where they overlap
    columns,  ///< every tap has its own copy, as in im2col: `pitch` apart, and no gaps between rows
  };

  TilePlan(const Correlation& c, std::int64_t images, std::int64_t positions, std::int64_t min_tiles,
           Layout layout, int lanes);

  std::int64_t tiles() const { return image_groups_ * product(boxes_); }
  Tile tile(std::int64_t index) const;

  /// Copies `channels` channels (source planes that follow one another; images `image_stride` apart) of the
  /// tile.
  template <class T>
  void fill(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels, T* to) const;

  /// Elements of one channel of one image.
  std::int64_t channel_size() const { return channel_size_; }
  /// Elements that fill() and reads beyond the last row touch.
  std::int64_t size(std::int64_t channels) const { return images_ * channels * channel_size_ + slack_; }
  /// Offset of each tap from its channel.
  const std::vector<std::int32_t>& tap_offsets() const { return tap_offsets_; }
  /// Offset of row (d, h) of a tile's box within a channel.
  std::int64_t row_offset(std::int64_t d, std::int64_t h) const { return (d * extent_[1] + h) * extent_[2]; }
  const Sizes3& box() const { return box_; }
  std::int64_t images() const { return images_; }
  /// Rows lie so close that a walk over all cells of a box wastes less than one row by row.
  bool flat() const { return flat_; }

 private:
  struct Axis {
    std::vector<std::int64_t> base;    ///< per slot: source cell of output 0, first stored cell
    std::vector<std::int64_t> slot;    ///< per tap
    std::vector<std::int64_t> offset;  ///< per tap, in stored cells
    std::int64_t reach = 0;            ///< stored cells beyond the outputs
  };

  static Axis shared_axis(const Correlation& c, int axis);
  static Axis column_axis(const Correlation& c, int axis);

  Sizes3 source_, out_, step_, box_{}, boxes_{}, extent_{};
  std::array<Axis, 3> axes_;
  std::int64_t all_images_, images_ = 1, image_groups_ = 1, channel_size_ = 0, slot_size_ = 0, slack_;
  std::vector<std::int32_t> tap_offsets_;
  bool flat_ = false;
};

}  // namespace evenkeel::kernels
