#pragma once

#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

/// Matrix products in f32 by register blocks: rows packed once or read where they lie, columns packed strip
/// by strip.
namespace evenkeel::kernels {

inline constexpr std::int64_t kStripVectors = 2;
inline constexpr std::int64_t kStripWidth = kStripVectors * Simd<float>::kLanes;
static_assert(!kWidePaths ||
              micro::kMaxPositions <= Simd<float>::kLanes);  // a block is packed by vectors of rows

/// Distance of a packed strip's steps where `width` columns are left.
inline std::int64_t strip_pitch(std::int64_t width) {
  return std::min(ceil_div(width, Simd<float>::kLanes) * Simd<float>::kLanes, kStripWidth);
}

/// An operand: element (step of the sum, row or column i) is data[step * step_stride + i * stride]. Steps may
/// come in runs of `run`, run_stride apart.
struct Operand {
  const float* data;
  std::int64_t step_stride, stride;
  std::int64_t run = std::numeric_limits<std::int64_t>::max(), run_stride = 0;

  Operand from(std::int64_t i) const { return {data + i * stride, step_stride, stride, run, run_stride}; }
};

/// Copies of neighbouring elements of each step, a vector of them at a time: all of a step together, since
/// those of the next step are far away.
class StepCopies {
 public:
  explicit StepCopies(std::int64_t most) { copies_.reserve(static_cast<std::size_t>(most)); }

  /// `count` elements, of which step 0 has the first at `from`; those of the first step that is copied go to
  /// `to`, of later ones `pitch` further. Zeros are written behind them, up to `room`.
  void add(const float* from, std::int64_t count, float* to, std::int64_t pitch, std::int64_t room) {
    copies_.push_back({from, to, pitch, room, Simd<float>::lanes_between(0, 0, count)});
    if (count == Simd<float>::kLanes && room >= count && pitch == copies_.front().pitch &&
        whole_ + 1 == copies_.size())
      ++whole_;
  }

  /// Copies steps [first, first + steps) of an operand whose steps lie like those of `like`.
  void run(const Operand& like, std::int64_t first, std::int64_t steps) const;

 private:
  struct Copy {
    const float* from;
    float* to;
    std::int64_t pitch, room;
    Simd<float>::Mask mask;
  };
  std::vector<Copy> copies_;
  std::size_t whole_ = 0;  ///< copies of whole vectors, before the others
};

/// to[p * ld + i] = element (first + p, i) for p < steps, i < count, at most a vector of them, where steps
/// are neighbours. Writes whole vectors, zeros behind the last, step after step.
void turn_lanes(const Operand& from, std::int64_t first, std::int64_t steps, std::int64_t count,
                std::int64_t ld, float* to);

/// Columns too few to pay for packed rows, and neighbouring steps of a row that are worth reading by
/// themselves.
inline constexpr std::int64_t kFewColumns = 224, kLeastRun = 8;

/// Elements of packed rows, of all threads together, up to which each thread packs them for itself: that
/// takes less time than to wait for another processor and to fetch what it wrote.
inline constexpr std::int64_t kFewPacked = 350 << 10;

/// The rows of a product's left operand, at least one of one step or more, times alpha, in blocks as high as
/// the innermost loops take them, their sums cut into parts short enough for the caches. Where the steps of a
/// row are neighbours and few `columns` will be multiplied, too few to pay for packing, the rows are read
/// where they lie. Cut and choice depend on sizes and layout alone, and so do the bits of a product.
class ProductRows {
 public:
  ProductRows(const Operand& a, std::int64_t rows, std::int64_t steps, float alpha = 1,
              std::int64_t columns = std::numeric_limits<std::int64_t>::max());

  std::int64_t parts() const { return parts_; }
  std::int64_t all_steps() const { return steps_; }
  std::int64_t first_step(std::int64_t part) const { return steps_ * part / parts_; }
  std::int64_t steps(std::int64_t part) const { return first_step(part + 1) - first_step(part); }
  std::int64_t most_steps() const { return most_steps_; }
  const micro::RowBlocks& blocks() const { return blocks_; }
  int height(std::int64_t block) const {
    return static_cast<int>(blocks_.begin(block + 1) - blocks_.begin(block));
  }

  /// Elements of the packed rows; none in place.
  std::int64_t packed_size() const { return in_place_ ? 0 : parts_ * blocks_.count * block_size(); }
  void pack(float* to) const;
  /// Where a block of packed rows is, and the distance of its steps.
  std::int64_t offset(std::int64_t part, std::int64_t block) const {
    return (part * blocks_.count + block) * block_size();
  }
  std::int64_t step_pitch() const { return step_pitch_; }

  bool in_place() const { return in_place_; }
  /// In place: a block's first row, the distance of rows, and where a row has the steps of a part.
  const float* row(std::int64_t block) const { return rows_.data + blocks_.begin(block) * rows_.stride; }
  std::int64_t pitch() const { return rows_.stride; }
  const std::vector<micro::WeightRun>& runs(std::int64_t part) const { return runs_[part]; }

 private:
  static constexpr std::int64_t kLanes = Simd<float>::kLanes;
  std::int64_t block_size() const { return most_steps_ * step_pitch_ + kLanes; }
  void pack_blocks(std::int64_t first, std::int64_t last, float* to) const;

  static bool fit_in_place(const Operand& a, std::int64_t steps, float alpha, std::int64_t columns);
  void list_runs();

  Operand rows_;
  float alpha_;
  bool in_place_;
  micro::RowBlocks blocks_;
  std::int64_t steps_, parts_, most_steps_, step_pitch_;
  std::vector<std::vector<micro::WeightRun>> runs_;
};

/// Products of `rows` with `count` columns. `columns` knows where they are and where results go:
/// - pack(first, steps, j, width, strip_size, to): steps [first, first + steps) of columns [j, j + width),
///   strip after strip, a strip's steps as many whole vectors wide as it needs;
/// - whole(j, width): where row 0 of columns [j, j + width) goes, or null where they are in pieces;
/// - each_piece(j, width, f): f(at, count, to) for the pieces, of columns [j + at, j + at + count);
/// - pitch: distance of a target's rows; add: whether results are added to what is there; bias: what every
///   row starts from, or null; kMatrix: rows are rows of a matrix, whose columns start from the bias.
template <class Columns>
void multiply(const ProductRows& rows, std::int64_t count, const Columns& columns);

/// Columns for multiply: a matrix b, and c with rows `pitch` apart.
struct MatrixColumns {
  Operand b;
  float* c;
  std::int64_t pitch;
  bool add;
  const float* bias = nullptr;
  static constexpr bool kMatrix = true;

  void pack(std::int64_t first, std::int64_t steps, std::int64_t j, std::int64_t width,
            std::int64_t strip_size, float* to) const {
    constexpr std::int64_t kLanes = Simd<float>::kLanes;
    StepCopies copies(b.stride == 1 ? ceil_div(width, kLanes) : 0);
    for (std::int64_t at = 0; at < width; at += kLanes) {
      const std::int64_t in_strip = at % kStripWidth, strip = at - in_strip;
      const std::int64_t count = std::min(width - at, kLanes), wide = strip_pitch(width - strip);
      float* lanes = to + strip / kStripWidth * strip_size + in_strip;
      if (b.stride == 1)
        copies.add(b.from(j + at).data, count, lanes, wide, kLanes);
      else
        turn_lanes(b.from(j + at), first, steps, count, wide, lanes);
    }
    copies.run(b, first, steps);
  }
  float* whole(std::int64_t j, std::int64_t) const { return c + j; }
  template <class F>
  void each_piece(std::int64_t j, std::int64_t width, F&& f) const {
    f(0, width, c + j);
  }
};

/// Sums of register blocks that do not go straight to where results go: `height` rows from row `row` and
/// columns [j, j + width), `wide` apart.
struct BlockSums {
  float* data;
  std::int64_t row, height, j, width, wide;
};

template <class Columns, class F>
void each_vector(const BlockSums& sums, const Columns& columns, F&& f) {
  columns.each_piece(sums.j, sums.width, [&](std::int64_t at, std::int64_t count, float* to) {
    for (std::int64_t i = 0; i < sums.height; ++i)
      for (std::int64_t v = 0; v < count; v += Simd<float>::kLanes)
        f(sums.data + i * sums.wide + at + v, to + (sums.row + i) * columns.pitch + v, count - v);
  });
}

/// Sums = what is there.
template <class Columns>
void load_sums(const BlockSums& sums, const Columns& columns) {
  using S = Simd<float>;
  each_vector(sums, columns, [](float* sum, const float* to, std::int64_t count) {
    S::store_some(sum, S::load_between(to, 0, 0, count), count);
  });
}

template <class Columns>
void store_sums(const BlockSums& sums, const Columns& columns) {
  using S = Simd<float>;
  each_vector(sums, columns, [](const float* sum, float* to, std::int64_t count) {
    S::store_some(to, S::load(sum), count);
  });
}

/// Columns for multiply: a matrix b, whose products are rows of c, `pitch` apart.
struct TurnedColumns : MatrixColumns {
  static constexpr bool kMatrix = false;

  float* whole(std::int64_t, std::int64_t) const { return nullptr; }
};

inline void load_sums(const BlockSums& sums, const TurnedColumns& columns) {
  constexpr std::int64_t kLanes = Simd<float>::kLanes;
  for (std::int64_t i = 0; i < sums.width; i += kLanes)
    transpose_to_lanes(columns.c + (sums.j + i) * columns.pitch + sums.row, columns.pitch, sums.height,
                       static_cast<int>(std::min(sums.width - i, kLanes)), sums.data + i, sums.wide);
}

inline void store_sums(const BlockSums& sums, const TurnedColumns& columns) {
  using S = Simd<float>;
  float turned[kStripWidth * S::kLanes];
  transpose_to_lanes(sums.data, sums.wide, sums.width, static_cast<int>(sums.height), turned, S::kLanes);
  for (std::int64_t i = 0; i < sums.width; ++i)
    S::store_some(columns.c + (sums.j + i) * columns.pitch + sums.row, S::load(turned + i * S::kLanes),
                  sums.height);
}

/// A register block's results: part `part` of the sums over the packed columns of the strip at j, added to
/// what `start` has for each row, start_pitch apart, or without it to what is there.
template <class Columns>
void multiply_block(const ProductRows& rows, const float* packed_rows, std::int64_t part, std::int64_t block,
                    const float* start, std::int64_t start_pitch, const float* strip, std::int64_t j,
                    std::int64_t width, const Columns& columns) {
  using S = Simd<float>;
  const std::int64_t wide = strip_pitch(width), row = rows.blocks().begin(block);
  const int height = rows.height(block);
  const int vectors = static_cast<int>(wide / S::kLanes);
  const auto run = [&](float* to, std::int64_t ld) {
    if (rows.in_place()) {
      for (int r = 0; start != nullptr && r < height; ++r)
        std::copy_n(start + r * start_pitch, wide, to + r * ld);
      const std::vector<micro::WeightRun>& runs = rows.runs(part);
      return micro::weight_block<float>(height, vectors)(static_cast<std::int64_t>(runs.size()), runs.data(),
                                                         rows.row(block), rows.pitch(), strip, to, ld);
    }
    micro::matrix_block(height, vectors)(rows.steps(part), strip, packed_rows + rows.offset(part, block),
                                         rows.step_pitch(), start, start_pitch, to, ld);
  };
  if (width == wide)
    if (float* to = columns.whole(j, width)) return run(to + row * columns.pitch, columns.pitch);
  float data[(micro::kMaxPositions + 1) * kStripWidth];
  const BlockSums sums{data, row, height, j, width, wide};
  if (start == nullptr) load_sums(sums, columns);
  run(data, wide);
  store_sums(sums, columns);
}

/// Products of row blocks [block, end) with strips [first, last); `strips` is memory for their columns.
template <class Columns>
void multiply_strips(const ProductRows& rows, const float* packed_rows, std::int64_t block, std::int64_t end,
                     std::int64_t count, std::int64_t first, std::int64_t last, float* strips,
                     const Columns& columns) {
  const std::int64_t strip_size = rows.most_steps() * kStripWidth, column = first * kStripWidth;
  const auto width = [&](std::int64_t s) { return std::min(count - s * kStripWidth, kStripWidth); };
  for (std::int64_t part = 0; part < rows.parts(); ++part) {
    columns.pack(rows.first_step(part), rows.steps(part), column,
                 std::min(last * kStripWidth, count) - column, strip_size, strips);
    const bool goes_on = part > 0 || columns.add;
    for (std::int64_t b = block; b < end; ++b) {
      float start[micro::kMaxPositions * kStripWidth] = {};
      const std::int64_t row = rows.blocks().begin(b);
      const bool bias_of_rows = columns.bias != nullptr && !Columns::kMatrix;
      for (int r = 0; bias_of_rows && r < rows.height(b); ++r)
        std::fill_n(start + r * kStripWidth, kStripWidth, columns.bias[row + r]);
      for (std::int64_t s = first; s < last; ++s) {
        if (columns.bias != nullptr && Columns::kMatrix)
          std::copy_n(columns.bias + s * kStripWidth, width(s), start);
        multiply_block(rows, packed_rows, part, b, goes_on ? nullptr : start,
                       Columns::kMatrix ? 0 : kStripWidth, strips + (s - first) * strip_size, s * kStripWidth,
                       width(s), columns);
      }
    }
  }
}

template <class Columns>
void multiply(const ProductRows& rows, std::int64_t count, const Columns& columns) {
  constexpr std::int64_t kMostTogether = 8;  // strips that fit the L2 cache
  // Several, since processors are not equally fast, but each reads all rows: more, where they stay near.
  constexpr std::int64_t kRoundsOfNear = 4, kRoundsOfFar = 2;
  constexpr std::int64_t kNear = 1 << 18;         // elements of the rows that the L2 cache keeps
  constexpr std::int64_t kWorthAPiece = 1 << 19;  // multiply-adds
  // Few steps are soon packed, by each thread anew, and rows it shares with nobody are soon written: a strip
  // ends within a cache line, which two threads would take from each other for every row.
  constexpr std::int64_t kFewSteps = 64, kManyRows = 32;
  const std::int64_t strips = ceil_div(count, kStripWidth), blocks = rows.blocks().count;
  const std::int64_t least_rounds =
      rows.blocks().rows * rows.most_steps() > kNear ? kRoundsOfFar : kRoundsOfNear;
  const bool by_rows =
      Columns::kMatrix && rows.all_steps() <= kFewSteps && rows.blocks().rows >= kManyRows * num_threads();
  const std::int64_t sharers = by_rows ? 1 : num_threads();
  const std::int64_t rounds = std::max(ceil_div(strips, sharers * kMostTogether),
                                       num_threads() == 1 ? 1 : std::min(least_rounds, strips / sharers));
  const std::int64_t pieces = std::min(sharers * rounds, strips);
  const std::int64_t together = ceil_div(strips, pieces);
  const std::int64_t cuts = by_rows ? num_threads() : std::min(ceil_div(num_threads(), pieces), blocks);
  const std::int64_t work = rows.blocks().rows * rows.all_steps() * count;
  const std::int64_t threads = std::min<std::int64_t>(ceil_div(work, kWorthAPiece), num_threads());
  const bool shared = rows.packed_size() * threads > kFewPacked || (cuts > 1 && !by_rows);
  detail::Workspace<float> rows_of_all(static_cast<std::size_t>(shared ? rows.packed_size() : 0));
  if (shared) rows.pack(rows_of_all.data());
  struct Worker {
    Worker(const ProductRows& rows, std::int64_t own, std::int64_t columns)
        : packed_rows(static_cast<std::size_t>(own)), strips(static_cast<std::size_t>(columns)) {
      if (own > 0) rows.pack(packed_rows.data());
    }
    detail::Workspace<float> packed_rows, strips;
  };
  detail::parallel_workers(
      pieces * cuts, threads,
      [&] {
        return Worker(rows, shared ? 0 : rows.packed_size(), together * rows.most_steps() * kStripWidth);
      },
      [&](Worker& worker, std::int64_t i) {
        const std::int64_t piece = i % pieces, cut = i / pieces;
        multiply_strips(rows, shared ? rows_of_all.data() : worker.packed_rows.data(), blocks * cut / cuts,
                        blocks * (cut + 1) / cuts, count, strips * piece / pieces,
                        strips * (piece + 1) / pieces, worker.strips.data(), columns);
      });
}

}  // namespace evenkeel::kernels
