#pragma once

#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/conv_winograd_transform.h>
#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

/// How rows of cells and of gradients get into a tile, transformed, and sums from a tile to rows of outputs.
namespace evenkeel::kernels::winograd {

/// Rows of cells one behind the other, cut into quadruples that do not reach into the next row, a vector of
/// quadruples after another: narrow rows fill the lanes together.
class JoinedRows {
 public:
  static constexpr std::int64_t kMost = 16;  ///< quadruples of a row

  explicit JoinedRows(std::int64_t length) : length_(length), count_(ceil_div(length, kOutputs)) {
    if (count_ > kMost) return;
    for (std::int64_t phase = 0; phase < count_; ++phase) {
      Lanes& lanes = lanes_[static_cast<std::size_t>(phase)];
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        lanes.not_first[lane] = (phase + lane) % count_ == 0 ? 0 : -1;
        lanes.not_last[lane] = (phase + lane + 1) % count_ == 0 ? 0 : -1;
      }
      for (std::int64_t cell = 0; cell < kOutputs * kLanes; ++cell)
        if ((kOutputs * phase + cell) % (kOutputs * count_) < length)
          lanes.cells[static_cast<std::size_t>(cell / kLanes)] |= 1u << cell % kLanes;
    }
  }

  using Bits [[gnu::vector_size(kVectorBytes)]] = std::int32_t;

  /// Of a vector of quadruples, which lanes of its cells, four vectors, hold any; quadruples that are not the
  /// first or the last of their row.
  struct Lanes {
    std::array<std::uint32_t, kOutputs> cells{};
    Bits not_first{}, not_last{};

    bool full(std::size_t i) const { return cells[i] == kAll; }
    /// Vector i of the cells, which are read at `from`; returns where the next ones are.
    const float* load(std::size_t i, const float* from, Vector& to) const {
      const int count = std::popcount(cells[i]);
      if (full(i))
        to = S::load(from);
      else
        to = S::expanded(cells[i], S::load_between(from, 0, 0, count));
      return from + count;
    }
    /// Stores them, or adds them to what is there.
    float* store(std::size_t i, Vector value, bool add, float* to) const {
      const int count = std::popcount(cells[i]);
      if (!full(i)) value = S::compressed(cells[i], value);
      if (add) value += S::load_between(to, 0, 0, count);
      S::store_some(to, value, count);
      return to + count;
    }
  };

  /// The lanes of `value` that are set in `bits`, else 0.
  static Vector kept(Bits bits, Vector value) {
    return reinterpret_cast<Vector>(reinterpret_cast<Bits>(value) & bits);
  }

  /// Whether rows of `length` cells, `count` quadruples of each in the tile, `distance` apart there, are
  /// these.
  bool fits(std::int64_t length, std::int64_t count, std::int64_t distance) const {
    return length == length_ && count == count_ && count == distance && count <= kMost;
  }

  /// Calls f(q, lanes, more) for quadruples q … of `rows` rows; more: there are others behind them.
  template <class F>
  void each_vector(std::int64_t rows, F&& f) const {
    const std::int64_t total = rows * count_;
    for (std::int64_t q = 0, phase = 0; q < total; q += kLanes, phase = (phase + kLanes) % count_) {
      const Lanes& lanes = lanes_[static_cast<std::size_t>(phase)];
      if (total - q >= kLanes) {
        f(q, lanes, total - q > kLanes);
        continue;
      }
      Lanes some = lanes;
      for (std::int64_t i = 0; i < kOutputs; ++i)
        some.cells[static_cast<std::size_t>(i)] &=
            (1u << std::clamp<std::int64_t>(kOutputs * (total - q) - i * kLanes, 0, kLanes)) - 1u;
      f(q, some, false);
    }
  }

 private:
  static constexpr std::uint32_t kAll = static_cast<std::uint32_t>((std::uint64_t{1} << kLanes) - 1);

  std::int64_t length_, count_;
  std::array<Lanes, kMost> lanes_;
};

/// Copies rows as RowCopy does, transformed, for for_turns(): to[p * pitch + q] = the value at point p of the
/// six cells that quadruple begin + q reads, the first of them `base` cells from its own.
template <int kWidth>
class SourceRow {
 public:
  SourceRow(const JoinedRows& joined, std::int64_t length, std::int64_t turns, std::int64_t begin,
            std::int64_t base, std::int64_t count, std::int64_t pitch)
      : joined_(&joined),
        length_(length),
        turns_(turns),
        begin_(begin),
        base_(base),
        first_(base + kOutputs * begin),
        count_(count),
        pitch_(pitch),
        mask_{S::lanes_between(first_, 0, length), S::lanes_between(first_ + kLanes, 0, length)} {}

  void copy(const float* row, std::int64_t next, float* to) const {
    if constexpr (kWidth == 0)
      copy_neighbours(row, next, to);
    else if (count_ <= kNarrow)
      copy_narrow(row, to);
    else
      copy_elements(row, next, to);
  }

  /// Whether rows of the tile, `distance` apart, can be copied by copy_rows().
  bool joins(std::int64_t distance) const {
    return kWidth == 1 && base_ == -1 && joined_->fits(length_, count_, distance);
  }

  /// Rows that lie one behind the other.
  void copy_rows(const float* from, std::int64_t rows, std::int64_t next, float* to) const {
    Vector before{};
    joined_->each_vector(rows, [&](std::int64_t q, const JoinedRows::Lanes& lanes, bool more) {
      Vector v[kOutputs];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kOutputs; ++i) {
        __builtin_prefetch(from + next);
        from = lanes.load(i, from, v[i]);
      }
      const auto d = quartered<1>(v);
      const Vector after = S::Vector{} + (more ? *from : 0.0f);
      transform({JoinedRows::kept(lanes.not_first, joined<float, S::kLanes - 1>(before, d[3])), d[0], d[1],
                 d[2], d[3], JoinedRows::kept(lanes.not_last, joined<float, 1>(d[0], after))},
                to + q);
      before = d[3];
    });
  }

  void clear(float* to) const {
    for (std::int64_t point = 0; point < kPoints; ++point)
      for (std::int64_t q = 0; q < count_; q += kLanes) S::store(to + point * pitch_ + q, Vector{});
  }

 private:
  /// Quadruples whose cells two vectors hold.
  static constexpr std::int64_t kNarrow =
      (2 * kLanes / std::max(kWidth, 1) - kPoints + kOutputs) / kOutputs * kWidth;

  void copy_narrow(const float* row, float* to) const {
    const Vector a = S::load_masked(row + first_, mask_[0]);
    const Vector b = S::load_masked(row + first_ + kLanes, mask_[1]);
    transform({every_fourth<0, kWidth>(a, b), every_fourth<1, kWidth>(a, b), every_fourth<2, kWidth>(a, b),
               every_fourth<3, kWidth>(a, b), every_fourth<4, kWidth>(a, b), every_fourth<5, kWidth>(a, b)},
              to);
  }

  void copy_elements(const float* row, std::int64_t next, float* to) const {
    for (std::int64_t q = 0; q < count_; q += kLanes) {
      const std::int64_t at = first_ + kOutputs * q;
      Vector v[5];
      if (at >= 0 && at + 5 * kLanes <= length_) {
        for (int i = 0; i < 5; ++i) v[i] = S::load(row + at + i * kLanes);
      } else {
        for (int i = 0; i < 5; ++i) v[i] = S::load_between(row, at + i * kLanes, 0, length_);
      }
      for (int i = 0; i < 4; ++i) __builtin_prefetch(row + at + i * kLanes + next);
      const auto d = quartered<kWidth>(v);
      transform({d[0], d[1], d[2], d[3], joined<float, kWidth>(d[0], v[4]),
                 joined<float, kWidth>(d[1], joined<float, kWidth>(v[4], v[4]))},
                to + q);
    }
  }

  void copy_neighbours(const float* row, std::int64_t next, float* to) const {
    each_neighbours(turns_, begin_, count_, [&](std::int64_t q, std::int64_t cell, std::int64_t) {
      const std::int64_t at = base_ + cell;
      AtPoints d;
      if (at >= 0 && at + (kPoints - 1) * turns_ + kLanes <= length_) {
        for (int i = 0; i < kPoints; ++i) d[i] = S::load(row + at + i * turns_);
      } else {
        for (int i = 0; i < kPoints; ++i) d[i] = S::load_between(row, at + i * turns_, 0, length_);
      }
      for (int i = 0; i < kOutputs; ++i) __builtin_prefetch(row + at + i * turns_ + next);
      transform(d, to + q);
    });
  }

  void transform(const AtPoints& d, float* to) const { store_points(cells_at_points(d), to, pitch_); }

  const JoinedRows* joined_;
  std::int64_t length_, turns_, begin_, base_, first_, count_, pitch_;
  S::Mask mask_[2];
};

/// Copies rows of a gradient: to[p * pitch + q] = the value at point p of the cells of quadruple begin + q,
/// zero from `length` on.
template <int kWidth>
class GradientRow {
 public:
  GradientRow(const JoinedRows& joined, std::int64_t length, std::int64_t turns, std::int64_t begin,
              std::int64_t count, std::int64_t pitch)
      : joined_(&joined), length_(length), turns_(turns), begin_(begin), count_(count), pitch_(pitch) {}

  void copy(const float* row, float* to) const {
    if constexpr (kWidth == 0)
      copy_neighbours(row, to);
    else
      copy_elements(row + kOutputs * begin_, to);
  }

  bool joins() const { return kWidth == 1 && joined_->fits(length_, count_, count_); }

  /// Rows that lie one behind the other.
  void copy_rows(const float* from, std::int64_t rows, float* to) const {
    joined_->each_vector(rows, [&](std::int64_t q, const JoinedRows::Lanes& lanes, bool) {
      Vector v[kOutputs];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kOutputs; ++i) from = lanes.load(i, from, v[i]);
      transform(quartered<1>(v), to + q);
    });
  }

 private:
  void copy_elements(const float* from, float* to) const {
    const std::int64_t length = length_ - kOutputs * begin_;
    if (count_ * kOutputs <= kLanes) {
      const Vector v = S::load_between(from, 0, 0, length);
      return transform({every_fourth<0, kWidth>(v, v), every_fourth<1, kWidth>(v, v),
                        every_fourth<2, kWidth>(v, v), every_fourth<3, kWidth>(v, v)},
                       to);
    }
    for (std::int64_t q = 0; q < count_; q += kLanes) {
      Vector v[kOutputs];
      for (int i = 0; i < kOutputs; ++i) v[i] = S::load_between(from, kOutputs * q + i * kLanes, 0, length);
      transform(quartered<kWidth>(v), to + q);
    }
  }

  void copy_neighbours(const float* row, float* to) const {
    each_neighbours(turns_, begin_, count_, [&](std::int64_t q, std::int64_t cell, std::int64_t) {
      Quadruple y;
      for (int i = 0; i < kOutputs; ++i) y[i] = S::load_between(row, cell + i * turns_, 0, length_);
      transform(y, to + q);
    });
  }

  void transform(const Quadruple& y, float* to) const { store_points(gradients_at_points(y), to, pitch_); }

  const JoinedRows* joined_;
  std::int64_t length_, turns_, begin_, count_, pitch_;
};

/// Of a row of `length` outputs, those of `count` quadruples from `begin` on: bias + what
/// from[p * pitch + q], sums at point p, stand for; += with add.
template <int kWidth>
void deliver_row(const float* from, std::int64_t pitch, std::int64_t turns, std::int64_t begin,
                 std::int64_t count, float bias, bool add, float* row, std::int64_t length) {
  const auto put = [&](std::int64_t at, Vector value, std::int64_t end) {
    if (at < end) S::store_some(row + at, add ? value + S::load_between(row, at, 0, end) : value, end - at);
  };
  if constexpr (kWidth == 0) {
    each_neighbours(turns, begin, count, [&](std::int64_t q, std::int64_t cell, std::int64_t some) {
      const auto y = transform_sums(from + q, pitch, bias);
      for (std::int64_t i = 0, at = cell; i < kOutputs; ++i, at += turns)
        put(at, y[i], std::min(at + some, length));
    });
  } else {
    const std::int64_t end = std::min(length, kOutputs * (begin + count));
    for (std::int64_t at = kOutputs * begin; at < end; at += kOutputs * kLanes, from += kLanes) {
      const auto y = woven_sums<kWidth>(from, pitch, bias);
      for (std::int64_t i = 0; i < kOutputs; ++i) put(at + i * kLanes, y[static_cast<std::size_t>(i)], end);
    }
  }
}

/// The same for whole rows that lie one behind the other, and so do their sums.
inline void deliver_rows(const JoinedRows& joined, const float* from, std::int64_t pitch, std::int64_t rows,
                         float bias, bool add, float* to) {
  joined.each_vector(rows, [&](std::int64_t q, const JoinedRows::Lanes& lanes, bool) {
    const auto y = woven_sums<1>(from + q, pitch, bias);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kOutputs; ++i) to = lanes.store(i, y[i], add, to);
  });
}

}  // namespace evenkeel::kernels::winograd
