#pragma once

#include <evenkeel/core/kernels/conv_winograd_rows.h>
#include <evenkeel/core/kernels/conv_winograd_transform.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>

/// Squares of 4 x 4 outputs of the last two axes, from 36 products instead of 144: the axis before the last
/// is transformed first, in rows of cells that lie four by four (for sums: last), then each of the six rows
/// that come of it as conv_winograd_rows.h does. Point 6 p + q is point p of that axis, q of the last.
/// Rounding errors are four to five times those of the plain sum (docs/speed.md).
namespace evenkeel::kernels::winograd {

inline constexpr std::int64_t kSquarePoints = kPoints * kPoints;

/// Rows of squares: their cells, `width` of them a row, transformed along the axis before the last.
class SquareRows {
 public:
  /// For up to `lines` rows of squares.
  SquareRows(std::int64_t width, std::int64_t lines)
      : width_(width),
        plane_(lines * width + kLanes),
        rows_(static_cast<std::size_t>(kPoints * plane_)),
        zeros_(static_cast<std::size_t>(width + kLanes)) {
    std::fill_n(zeros_.data(), width + kLanes, 0.0f);
  }

  /// Adds `lines` rows of squares of an area of `height` rows; the first one's cells begin at row `low`, and
  /// are zeros outside the area, or everywhere without one. Of each of kRows rows (six of cells, four of
  /// gradients) cells [begin, end) are taken; transform(rows) has their values at the six points.
  template <std::size_t kRows, class Transform>
  void add(const float* area, std::int64_t height, std::int64_t low, std::int64_t lines, std::int64_t begin,
           std::int64_t end, std::int64_t next, Transform&& transform) {
    for (std::int64_t line = 0; line < lines; ++line, ++lines_) {
      const float* from[kRows];
      for (std::size_t i = 0; i < kRows; ++i) {
        const std::int64_t row = low + kOutputs * line + static_cast<std::int64_t>(i);
        from[i] = area != nullptr && row >= 0 && row < height ? area + row * width_ : zeros_.data();
      }
      float* to = rows_.data() + lines_ * width_;
      for (std::int64_t at = begin; at < end; at += kLanes) {
        std::array<Vector, kRows> rows;
        const S::Mask mask = S::lanes_between(at, at, end);
#pragma GCC unroll 6
        for (std::size_t i = 0; i < kRows; ++i) rows[i] = S::load_masked(from[i] + at, mask);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kOutputs; ++i) __builtin_prefetch(from[i] + at + next);
        store_points(transform(rows), to + at, plane_);
      }
    }
  }

  /// Hands all rows that were added, one behind the other, to copy(rows, lines, to) at each of the points,
  /// whose places are `pitch` apart, and forgets them.
  template <class Copy>
  void finish(float* to, std::int64_t pitch, Copy&& copy) {
    for (std::int64_t point = 0; point < kPoints; ++point)
      copy(rows_.data() + point * plane_, lines_, to + point * pitch);
    lines_ = 0;
  }

  std::int64_t width() const { return width_; }

 private:
  std::int64_t width_, plane_, lines_ = 0;
  detail::Workspace<float> rows_, zeros_;
};

/// Copies areas as SourceRow copies rows.
class SourceSquares {
 public:
  SourceSquares(const SourceRow<1>& row, SquareRows& rows, std::int64_t begin, std::int64_t end,
                std::int64_t pitch)
      : row_(row), rows_(&rows), begin_(begin), end_(end), pitch_(pitch) {}

  /// Adds those `lines` of an area's rows of squares whose cells begin at row `low`; zeros without an area.
  void add_area(const float* area, std::int64_t height, std::int64_t low, std::int64_t lines,
                std::int64_t next) const {
    rows_->add<kPoints>(area, height, low, lines, begin_, end_, next, cells_at_points);
  }

  /// Brings all that were added to the tile, where rows are `distance` apart.
  void finish(float* to, std::int64_t distance) const {
    rows_->finish(to, kPoints * pitch_, [&](const float* from, std::int64_t lines, float* at_point) {
      if (row_.joins(distance)) return row_.copy_rows(from, lines, 0, at_point);
      for (std::int64_t line = 0; line < lines; ++line)
        row_.copy(from + line * rows_->width(), 0, at_point + line * distance);
    });
  }

 private:
  SourceRow<1> row_;
  SquareRows* rows_;
  std::int64_t begin_, end_, pitch_;
};

/// Brings rows of squares of a gradient to their places as GradientRow copies rows, `count` squares each.
inline void finish_gradients(const GradientRow<1>& row, SquareRows& rows, std::int64_t count,
                             std::int64_t pitch, float* to) {
  rows.finish(to, kPoints * pitch, [&](const float* from, std::int64_t lines, float* at_point) {
    if (row.joins()) return row.copy_rows(from, lines, at_point);
    for (std::int64_t line = 0; line < lines; ++line)
      row.copy(from + line * rows.width(), at_point + line * count);
  });
}

/// Brings sums to areas as deliver_row() and deliver_rows() bring them to rows.
class OutputSquares {
 public:
  /// For up to `lines` rows of `positions` squares in all, areas of rows `width` long.
  OutputSquares(const JoinedRows& joined, std::int64_t width, std::int64_t lines, std::int64_t positions)
      : joined_(joined),
        width_(width),
        pitch_(ceil_div(positions, kLanes) * kLanes),
        plane_(lines * width),
        sums_(static_cast<std::size_t>(kOutputs * kPoints * pitch_ + kLanes)),
        rows_(static_cast<std::size_t>(kOutputs * plane_ + kLanes)) {}

  /// Takes from[p * pitch + …], sums at point p of `lines` rows of squares `begin`, begin + 1 …, `count` of
  /// them, `distance` apart.
  void take(const float* from, std::int64_t pitch, std::int64_t lines, std::int64_t distance,
            std::int64_t begin, std::int64_t count, float bias) {
    begin_ = begin, count_ = count, distance_ = distance, bias_ = bias;
    const std::int64_t positions = (lines - 1) * distance + count;
    for (std::int64_t point = 0; point < kPoints; ++point)
      for (std::int64_t at = 0; at < positions; at += kLanes) {
        const Quadruple y = outputs_of(load_points(from + point * pitch + at, kPoints * pitch));
#pragma GCC unroll 4
        for (std::int64_t i = 0; i < kOutputs; ++i)
          S::store(sums_.data() + (i * kPoints + point) * pitch_ + at, y[static_cast<std::size_t>(i)]);
      }
    joins_ = count <= kLanes / 2 && joined_.fits(width_, count, distance);
    if (!joins_ || width_ % kLanes == 0) return;
    for (std::int64_t i = 0; i < kOutputs; ++i)
      deliver_rows(joined_, sums_.data() + i * kPoints * pitch_, pitch_, lines, bias, false,
                   rows_.data() + i * plane_);
  }

  /// Brings `lines` of those rows of squares, from `line` on, to an area that has `height` rows from `to` on.
  void deliver(std::int64_t line, std::int64_t lines, bool add, float* to, std::int64_t height) const {
    for (std::int64_t i = 0; i < kOutputs; ++i) {
      const float* sums = sums_.data() + i * kPoints * pitch_ + line * distance_;
      float* row = to + i * width_;
      const std::int64_t end = line + std::min(lines, ceil_div(height - i, kOutputs));
      if (joins_ && width_ % kLanes == 0) {
        deliver_whole_vectors(sums, end - line, add, row);
        continue;
      }
      for (std::int64_t l = line; l < end; ++l, row += kOutputs * width_, sums += distance_)
        if (joins_)
          copy_row(rows_.data() + i * plane_ + l * width_, add, row);
        else
          deliver_row<1>(sums, pitch_, 1, begin_, count_, bias_, add, row, width_);
    }
  }

 private:
  /// Rows that begin and end with vectors.
  void deliver_whole_vectors(const float* sums, std::int64_t rows, bool add, float* to) const {
    std::int64_t at = 0;
    joined_.each_vector(rows, [&](std::int64_t q, const JoinedRows::Lanes& lanes, bool) {
      const auto y = woven_sums<1>(sums + q, pitch_, bias_);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kOutputs; ++i) {
        if (!lanes.full(i)) return;
        S::store(to + at, add ? y[i] + S::load(to + at) : y[i]);
        at += kLanes;
        if (at == width_) at = 0, to += kOutputs * width_;
      }
    });
  }

  void copy_row(const float* from, bool add, float* to) const {
    for (std::int64_t at = 0; at < width_; at += kLanes) {
      Vector value = S::load(from + at);
      if (add) value += S::load_between(to, at, 0, width_);
      S::store_some(to + at, value, width_ - at);
    }
  }

  const JoinedRows& joined_;
  std::int64_t width_, pitch_, plane_, begin_ = 0, count_ = 0, distance_ = 0;
  float bias_ = 0;
  bool joins_ = false;
  detail::Workspace<float> sums_, rows_;
};

}  // namespace evenkeel::kernels::winograd
