#pragma once

#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

/// What all passes of a convolution are made of: output q of an axis reads source cells q * step + at[tap],
/// zero where that lies outside. A last axis in which several sequences take turns is for fill_rows() alone.
struct Correlation {
  Sizes3 source{1, 1, 1};
  Sizes3 out{1, 1, 1};
  Sizes3 step{1, 1, 1};
  std::array<std::vector<std::int64_t>, 3> at;
  std::int64_t turns = 1;                     ///< sequences that take turns along the last axis
  std::array<std::int64_t, 3> span{1, 1, 1};  ///< neighbouring cells that a tap stands for

  std::int64_t taps() const { return static_cast<std::int64_t>(at[0].size() * at[1].size() * at[2].size()); }

  /// Whether output q of an axis reads a cell of the source by one of the axis's taps.
  bool reads(int axis, std::int64_t q, std::int64_t tap) const {
    const std::int64_t cell = q * step[axis] + at[axis][static_cast<std::size_t>(tap)];
    return cell + span[axis] > 0 && cell < source[axis];
  }
  /// Pairs of an output and a tap of an axis whose cell lies in the source.
  std::int64_t pairs_read(int axis) const;
  /// Share of all rows of outputs and rows of taps whose cells lie in the source.
  double rows_read() const;
};

/// x -> y of `g`.
Correlation forward_correlation(const ConvGeometry& g);

/// Results whose cells are start, start + step, start + 2 step … of the target, from some of the taps.
struct Phase {
  Sizes3 start{0, 0, 0};
  std::vector<std::int64_t> tap;
};

/// x -> y turned round: gx cell q * stride + start reads gy[q + (start + padding - k * dilation) / stride]
/// for the taps k where that divides. Each tap belongs to the phase of one start.
Correlation input_grad_correlation(const ConvGeometry& g, std::vector<Phase>& phases);

/// A box of outputs of some images.
struct Tile {
  std::int64_t image, images;
  Sizes3 begin, count;
};

/// Tiles to cut a pass into at least, so that threads can share them, where its weights and the cells of all
/// tiles have these sizes. More tiles read the weights more often; fewer are cut by rows of results instead,
/// and each cut copies the tile's cells anew.
std::int64_t least_tiles(std::int64_t weights, std::int64_t cells);
inline constexpr std::int64_t kPiecesAThread = 3;
/// Cuts by rows of results, of which there are `blocks`, for each of `pieces` tiles of groups, where
/// `a_thread` pieces are wanted. May depend on the number of threads: rows do not depend on each other.
std::int64_t row_cuts(std::int64_t pieces, std::int64_t blocks, std::int64_t a_thread = kPiecesAThread);

/// Multiply-adds worth handing to another thread.
inline constexpr std::int64_t kProductsAPiece = 1 << 19;

/// Which cells a thread's scratch memory has.
class HeldCells {
 public:
  /// Whether they are others than those of a tile of a group from a channel on, which it has from now on.
  bool change(std::int64_t tile, std::int64_t group, std::int64_t channel) {
    const std::array<std::int64_t, 3> wanted{tile, group, channel};
    return std::exchange(held_, wanted) != wanted;
  }

 private:
  std::array<std::int64_t, 3> held_{-1, -1, -1};
};

/// Hands out the cuts of some pieces. Each taker gets those of its piece in order, then those of the next
/// that nobody began, at last some of the piece that has most left: what it holds of a piece serves many
/// cuts.
class CutQueue {
 public:
  CutQueue(std::int64_t pieces, std::int64_t cuts) : cuts_(cuts), taken_(static_cast<std::size_t>(pieces)) {}

  /// The next cut of `piece`; where it has no more, and at first, when it is -1, `piece` changes to another,
  /// the search for which starts at `first`. -1 where none is left at all.
  std::int64_t take(std::int64_t first, std::int64_t& piece);

 private:
  std::int64_t next_piece(std::int64_t first) const;

  std::int64_t cuts_;
  std::vector<std::atomic<std::int64_t>> taken_;  ///< of each piece; more than there are where all are
};

/// Shares a pass out over the threads: tiles x groups x cuts of the `blocks` row blocks. `products`:
/// multiply-adds that all row blocks of one tile of one group are worth. least_cuts: cuts that are made in
/// any case, and then no more than keep all threads busy. A thread's make_worker() does work(tile, group,
/// first, last) for row blocks [first, last).
template <class MakeWorker>
void share_tiles(std::int64_t tiles, std::int64_t groups, std::int64_t blocks, std::int64_t products,
                 MakeWorker&& make_worker, std::int64_t least_cuts = 1,
                 std::int64_t a_thread = kPiecesAThread) {
  const std::int64_t pieces = std::max<std::int64_t>(tiles * groups, 1);
  const std::int64_t cuts = least_cuts > 1
                                ? std::min(ceil_div(least_cuts, num_threads()) * num_threads(), blocks)
                                : row_cuts(pieces, blocks, a_thread);
  const std::int64_t grain =
      std::max<std::int64_t>(kProductsAPiece * cuts / std::max<std::int64_t>(products, 1), 1);
  const std::int64_t takers = std::clamp<std::int64_t>(pieces * cuts / grain, 1, num_threads());
  if (cuts == 1)
    return detail::parallel_workers(pieces, takers, make_worker, [&](auto& worker, std::int64_t i) {
      worker.work(i / groups, i % groups, 0, blocks);
    });
  CutQueue queue(pieces, cuts);
  detail::parallel_for(takers, [&](std::int64_t taker) {
    const std::int64_t first = pieces * taker / takers;
    std::int64_t piece = -1, cut = queue.take(first, piece);
    if (cut < 0) return;
    auto worker = make_worker();
    for (; cut >= 0; cut = queue.take(first, piece))
      worker.work(piece / groups, piece % groups, blocks * cut / cuts, blocks * (cut + 1) / cuts);
  });
}

/// Sets of sums, added up at the end, for each of `pieces` of a gradient of the weights: as many as its
/// `positions` of outputs pay for, `worth_a_set` each, or less where there would be fewer than a few pieces.
/// Results depend on it, so it must not depend on the number of threads.
std::int64_t sets_of_sums(std::int64_t pieces, std::int64_t positions, std::int64_t worth_a_set);
/// Output channels of a piece of a weight gradient: `chunk`, or less where there are fewer `pieces` of that
/// size than threads, and parts of it are equal or input channels too few to share. Like row_cuts, it changes
/// no result.
std::int64_t shared_chunk(std::int64_t chunk, std::int64_t pieces, std::int64_t channels, std::int64_t lanes);
/// Shares of the input channels for each of `pieces` of a gradient of the weights, so many that no thread
/// idles for long. They change no result either; each share brings the gradient of the results in order anew.
std::int64_t channel_shares(std::int64_t pieces, std::int64_t channels);

/// How the source of a tile of outputs is laid out in scratch memory: padded with zeros, so that any tap is a
/// view at a fixed offset. Layout: [channel][slot][image][depth][row][column]. With strides taken apart an
/// axis has one slot for each residue of its taps modulo the step, with room for all shifts, or, where that
/// is smaller, one for each tap; neighbouring outputs then read neighbouring cells. Where strides may be
/// kept, an axis whose cells are all read is stored as it is, and outputs read every step()-th cell.
/// Neighbouring rows (planes, images) that are whole share the zeros between them.
class TilePlan {
 public:
  enum class Strides {
    apart,
    last_apart,  ///< kept along the other axes
    kept,
  };

  /// Tiles of about `positions` outputs; several images share one where that leaves `min_tiles` tiles.
  /// `uses`: results that each cell is multiplied into, which tells how much work a copy without gaps is
  /// worth.
  TilePlan(const Correlation& c, std::int64_t images, std::int64_t positions, std::int64_t min_tiles,
           std::int64_t uses, Strides strides, std::int64_t lanes);

  std::int64_t tiles() const { return image_groups_ * product(boxes_); }
  Tile tile(std::int64_t index) const;

  /// Copies `channels` channels (source planes that follow one another; images `image_stride` apart) of the
  /// tile.
  template <class T>
  void fill(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels, T* to) const;

  /// The same with rows made by `make_row(begin, at, count)`, whose result has copy(row, next, to) and
  /// clear(to): what outputs begin, begin + 1 … of a tap at `at` read of a source row, `count` of them. Where
  /// it has add_area(area, height, low, rows, next) and finish(to, distance), those get the areas of one
  /// depth after another and bring them to the tile.
  template <class T, class MakeRow>
  void fill_rows(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels, T* to,
                 MakeRow&& make_row) const;

  /// Elements of one channel.
  std::int64_t channel_size() const { return channel_size_; }
  /// Elements that fill() and vectors that start inside the tile touch.
  std::int64_t size(std::int64_t channels) const { return channels * channel_size_ + slack_; }
  /// What fill() of the largest tile costs, in multiply-adds.
  std::int64_t fill_cost(std::int64_t channels) const;
  /// Offset of each tap from its channel.
  const std::vector<std::int32_t>& tap_offsets() const { return tap_offsets_; }
  /// Offset of a row of outputs within a channel.
  std::int64_t row_offset(std::int64_t image, std::int64_t d, std::int64_t h) const {
    return stored_row(image, d * axes_[0].step, h * axes_[1].step);
  }
  /// Cells from one output of a row to the next.
  std::int64_t step() const { return axes_[2].step; }
  /// Cells from a tile's first output to its last, gaps between rows included.
  std::int64_t walk(const Tile& t) const {
    return row_offset(t.images - 1, t.count[0] - 1, t.count[1] - 1) + (t.count[2] - 1) * step() + 1;
  }
  /// The largest tile.
  Tile full() const { return {0, images_, {0, 0, 0}, box_}; }
  /// Rows of the largest tile, of a channel and slot.
  std::int64_t rows_stored() const { return images_ * axes_[0].stored(box_[0]) * axes_[1].stored(box_[1]); }
  /// A walk over all cells wastes less than going row by row.
  bool flat() const { return flat_; }

 private:
  struct Axis {
    std::vector<std::int64_t> base;    ///< per slot: source cell of output 0, first stored cell
    std::vector<std::int64_t> slot;    ///< per tap
    std::vector<std::int64_t> offset;  ///< per tap, in stored cells
    std::int64_t reach = 0;            ///< stored cells beyond the outputs
    std::int64_t step = 1;             ///< stored cells from one output to the next
    std::int64_t skip = 1;             ///< source cells from one stored cell to the next

    std::int64_t stored(std::int64_t outputs) const { return (outputs - 1) * step + 1 + reach; }
  };

  /// The rows of one slot, or of several that `row` fills together.
  template <class T, class Row>
  void fill_slot(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t base_d,
                 std::int64_t base_h, const Row& row, T* to) const;
  /// The areas of one slot, of which `row` takes many before it brings them to the tile.
  template <class T, class Row>
  void fill_areas(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t base_d,
                  std::int64_t base_h, const Row& row, T* to) const;
  /// fill() for a step of kStep along the last axis.
  template <int kStep, class T>
  void fill_split(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels,
                  T* to) const;

  std::int64_t stored_row(std::int64_t image, std::int64_t d, std::int64_t h) const {
    return ((image * extent_[0] + d) * extent_[1] + h) * extent_[2];
  }

  static Axis shared_axis(const Correlation& c, int axis);
  static Axis column_axis(const Correlation& c, int axis);
  static Axis kept_axis(const Correlation& c, int axis);
  std::int64_t shared_zeros(int axis) const;
  void choose_boxes(std::int64_t positions, std::int64_t min_tiles, std::int64_t lanes);
  void choose_axes(const Correlation& c, std::int64_t uses, Strides strides, std::int64_t lanes);
  void place_taps(std::int64_t lanes);

  Sizes3 source_, out_, step_, box_{}, boxes_{}, extent_{}, overlap_{};
  std::array<Axis, 3> axes_;
  std::int64_t all_images_, lanes_, images_ = 1, image_groups_ = 1, channel_size_ = 0, slot_size_ = 0, slack_;
  std::vector<std::int32_t> tap_offsets_;
  bool flat_ = false;
};

template <class T, class MakeRow>
void TilePlan::fill_rows(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels,
                         T* to, MakeRow&& make_row) const {
  std::vector<decltype(make_row(0, 0, 0))> rows;
  for (const std::int64_t base_w : axes_[2].base)
    rows.push_back(make_row(t.begin[2], base_w, axes_[2].stored(t.count[2])));
  for (std::int64_t channel = 0; channel < channels; ++channel, to += channel_size_) {
    T* slot = to;
    for (const std::int64_t base_d : axes_[0].base)
      for (const std::int64_t base_h : axes_[1].base)
        for (const auto& row : rows) {
          const T* from = source + channel * product(source_);
          if constexpr (requires { row.finish(slot, channels); })
            fill_areas(t, from, image_stride, base_d, base_h, row, slot);
          else
            fill_slot(t, from, image_stride, base_d, base_h, row, slot);
          slot += slot_size_;
        }
  }
}

template <class T, class Row>
void TilePlan::fill_slot(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t base_d,
                         std::int64_t base_h, const Row& shared_row, T* to) const {
  // Copies that no store into the tile can change, for all that the compiler knows.
  const Row row = shared_row;
  const Sizes3 size = source_;
  const std::int64_t plane = size[1] * size[2], next = size[0] * plane, pitch = extent_[2];
  const std::int64_t low_d = t.begin[0] * step_[0] + base_d, low_h = t.begin[1] * step_[1] + base_h;
  const std::int64_t skip = axes_[1].skip, high_h = low_h + axes_[1].stored(t.count[1]) * skip;
  // In the order of their places: a copy may write beyond the row's end.
  for (std::int64_t image = 0; image < t.images; ++image)
    for (std::int64_t d = 0; d < axes_[0].stored(t.count[0]); ++d) {
      const std::int64_t at_d = low_d + d * axes_[0].skip;
      const T* area = source + (t.image + image) * image_stride + at_d * plane;
      const bool inside = at_d >= 0 && at_d < size[0];
      T* row_to = to + stored_row(image, d, 0);
      if constexpr (requires { row.joins(pitch); })
        if (inside && skip == 1 && row.joins(pitch)) {
          const std::int64_t first = std::clamp<std::int64_t>(0, low_h, high_h);
          const std::int64_t end = std::clamp<std::int64_t>(size[1], first, high_h);
          for (std::int64_t h = low_h; h < first; ++h) row.clear(row_to + (h - low_h) * pitch);
          row.copy_rows(area + first * size[2], end - first, next, row_to + (first - low_h) * pitch);
          for (std::int64_t h = end; h < high_h; ++h) row.clear(row_to + (h - low_h) * pitch);
          continue;
        }
      for (std::int64_t h = low_h; h < high_h; h += skip, row_to += pitch)
        if (inside && h >= 0 && h < size[1])
          row.copy(area + h * size[2], next, row_to);
        else
          row.clear(row_to);
    }
}

template <class T, class Row>
void TilePlan::fill_areas(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t base_d,
                          std::int64_t base_h, const Row& row, T* to) const {
  const std::int64_t plane = source_[1] * source_[2], next = source_[0] * plane, pitch = extent_[2];
  const std::int64_t low_d = t.begin[0] * step_[0] + base_d, low_h = t.begin[1] * step_[1] + base_h;
  const std::int64_t depth = axes_[0].stored(t.count[0]), lines = axes_[1].stored(t.count[1]);
  const bool dense = depth == extent_[0] && lines == extent_[1];
  for (std::int64_t image = 0; image < t.images; ++image)
    for (std::int64_t d = 0; d < depth; ++d) {
      const std::int64_t at_d = low_d + d * axes_[0].skip;
      const T* area = source + (t.image + image) * image_stride + at_d * plane;
      row.add_area(at_d >= 0 && at_d < source_[0] ? area : nullptr, source_[1], low_h, lines, next);
      if (!dense) row.finish(to + stored_row(image, d, 0), pitch);
    }
  if (dense) row.finish(to, pitch);
}

}  // namespace evenkeel::kernels
