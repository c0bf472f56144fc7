#pragma once

#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <array>
#include <cstdint>

/// Winograd's minimal filtering F(4, 3) along one axis: four neighbouring outputs of a three-tap kernel from
/// six products instead of twelve. Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
/// with the polynomials evaluated at 0, ±sqrt(1/2), ±sqrt(2) and infinity, where rounding errors stay within
/// twice those of the plain sum.
namespace evenkeel::kernels::winograd {

inline constexpr std::int64_t kPoints = 6;
inline constexpr std::int64_t kOutputs = 4;
inline constexpr std::int64_t kTaps = 3;

inline constexpr float kInner = 0.70710678f;  ///< sqrt(1/2)
inline constexpr float kOuter = 1.41421356f;  ///< sqrt(2)

using S = Simd<float>;
using Vector = S::Vector;
inline constexpr std::int64_t kLanes = S::kLanes;

/// Values of three-tap kernels at the points, divided by what makes the products sum to the outputs.
inline std::array<Vector, kPoints> transform_kernel(Vector w0, Vector w1, Vector w2) {
  constexpr float kThird = 1.0f / 3.0f;
  const Vector inner_even = -2 * kThird * (w0 + 0.5f * w2);
  const Vector inner_odd = -2 * kThird * kInner * w1;
  const Vector outer_even = 0.5f * kThird * (w0 + 2 * w2);
  const Vector outer_odd = 0.5f * kThird * kOuter * w1;
  return {w0, inner_even + inner_odd, inner_even - inner_odd, outer_even + outer_odd, outer_even - outer_odd,
          w2};
}

/// Lane q is lane 4 q + kFirst of a followed by b, the last where there is none.
template <int kFirst>
Vector every_fourth(Vector a, Vector b) {
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, (std::min(4 * kIndex + kFirst, 2 * S::kLanes - 1))...);
  }
  (std::make_integer_sequence<int, S::kLanes>{});
}

/// Copies rows as RowCopy does, transformed: to[p * pitch + q] = the value at point p of the six cells from
/// first + 4 q on.
class SourceRow {
 public:
  SourceRow(std::int64_t length, std::int64_t first, std::int64_t count, std::int64_t pitch)
      : length_(length),
        first_(first),
        count_(count),
        pitch_(pitch),
        mask_{S::lanes_between(first, 0, length), S::lanes_between(first + kLanes, 0, length)} {}

  void copy(const float* row, std::int64_t next, float* to) const {
    if (count_ <= kNarrow) {
      const Vector a = S::load_masked(row + first_, mask_[0]);
      const Vector b = S::load_masked(row + first_ + kLanes, mask_[1]);
      return transform({every_fourth<0>(a, b), every_fourth<1>(a, b), every_fourth<2>(a, b),
                        every_fourth<3>(a, b), every_fourth<4>(a, b), every_fourth<5>(a, b)},
                       to);
    }
    for (std::int64_t q = 0; q < count_; q += kLanes) {
      const std::int64_t at = first_ + kOutputs * q;
      Vector v[5];
      if (at >= 0 && at + 5 * kLanes <= length_) {
        for (int i = 0; i < 5; ++i) v[i] = S::load(row + at + i * kLanes);
      } else {
        for (int i = 0; i < 5; ++i) v[i] = S::load_between(row, at + i * kLanes, 0, length_);
      }
      for (int i = 0; i < 4; ++i) __builtin_prefetch(row + at + i * kLanes + next);
      const Vector even = evens<float>(v[0], v[1]), later_even = evens<float>(v[2], v[3]);
      const Vector odd = odds<float>(v[0], v[1]), later_odd = odds<float>(v[2], v[3]);
      const Vector d0 = evens<float>(even, later_even), d1 = evens<float>(odd, later_odd);
      transform({d0, d1, odds<float>(even, later_even), odds<float>(odd, later_odd),
                 joined<float, 1>(d0, v[4]), joined<float, 1>(d1, joined<float, 1>(v[4], v[4]))},
                to + q);
    }
  }

  void clear(float* to) const {
    for (std::int64_t point = 0; point < kPoints; ++point)
      for (std::int64_t q = 0; q < count_; q += kLanes) S::store(to + point * pitch_ + q, Vector{});
  }

 private:
  /// Quadruples whose cells two vectors hold.
  static constexpr std::int64_t kNarrow = (2 * kLanes - kPoints) / kOutputs + 1;

  void transform(const std::array<Vector, kPoints>& d, float* to) const {
    const Vector inner_even = d[4] - 2 * d[2], inner_odd = kInner * (d[3] - 2 * d[1]);
    const Vector outer_even = d[4] - 0.5f * d[2], outer_odd = kOuter * (d[3] - 0.5f * d[1]);
    S::store(to, d[0] + (d[4] - 2.5f * d[2]));
    S::store(to + pitch_, inner_even + inner_odd);
    S::store(to + 2 * pitch_, inner_even - inner_odd);
    S::store(to + 3 * pitch_, outer_even + outer_odd);
    S::store(to + 4 * pitch_, outer_even - outer_odd);
    S::store(to + 5 * pitch_, d[1] + (d[5] - 2.5f * d[3]));
  }

  std::int64_t length_, first_, count_, pitch_;
  S::Mask mask_[2];
};

/// Copies rows of a gradient: to[p * pitch + q] = the value at point p of cells 4 q … 4 q + 3, zero from
/// `length` on.
class GradientRow {
 public:
  GradientRow(std::int64_t length, std::int64_t count, std::int64_t pitch)
      : length_(length), count_(count), pitch_(pitch) {}

  void copy(const float* row, float* to) const {
    if (count_ * kOutputs <= kLanes) {
      const Vector v = S::load_between(row, 0, 0, length_);
      return transform(every_fourth<0>(v, v), every_fourth<1>(v, v), every_fourth<2>(v, v),
                       every_fourth<3>(v, v), to);
    }
    for (std::int64_t q = 0; q < count_; q += kLanes) {
      Vector v[4];
      for (int i = 0; i < 4; ++i) v[i] = S::load_between(row, kOutputs * q + i * kLanes, 0, length_);
      const Vector even = evens<float>(v[0], v[1]), later_even = evens<float>(v[2], v[3]);
      const Vector odd = odds<float>(v[0], v[1]), later_odd = odds<float>(v[2], v[3]);
      transform(evens<float>(even, later_even), evens<float>(odd, later_odd), odds<float>(even, later_even),
                odds<float>(odd, later_odd), to + q);
    }
  }

 private:
  void transform(Vector y0, Vector y1, Vector y2, Vector y3, float* to) const {
    const Vector inner_even = y0 + 0.5f * y2, inner_odd = kInner * (y1 + 0.5f * y3);
    const Vector outer_even = y0 + 2 * y2, outer_odd = kOuter * (y1 + 2 * y3);
    S::store(to, y0);
    S::store(to + pitch_, inner_even + inner_odd);
    S::store(to + 2 * pitch_, inner_even - inner_odd);
    S::store(to + 3 * pitch_, outer_even + outer_odd);
    S::store(to + 4 * pitch_, outer_even - outer_odd);
    S::store(to + 5 * pitch_, y3);
  }

  std::int64_t length_, count_, pitch_;
};

/// to[k * count + i] = weight k, below `taps`, that from[p * count + i], sums at point p, stand for.
inline void deliver_kernel(const float* from, std::int64_t count, std::int64_t taps, float* to) {
  constexpr float kThird = 1.0f / 3.0f;
  for (std::int64_t i = 0; i < count; ++i, ++from, ++to) {
    const float inner_even = -2 * kThird * (from[count] + from[2 * count]);
    const float outer_even = 0.5f * kThird * (from[3 * count] + from[4 * count]);
    to[0] = from[0] + inner_even + outer_even;
    if (taps > 1)
      to[count] = -2 * kThird * kInner * (from[count] - from[2 * count]) +
                  0.5f * kThird * kOuter * (from[3 * count] - from[4 * count]);
    if (taps > 2) to[2 * count] = 0.5f * inner_even + 2 * outer_even + from[5 * count];
  }
}

/// to[i] = bias + the outputs that from[p * pitch + q], sums at point p, stand for; += with add; i < total.
inline void deliver_row(const float* from, std::int64_t pitch, std::int64_t total, float bias, bool add,
                        float* to) {
  for (std::int64_t i = 0; i < total; i += kOutputs * kLanes, from += kLanes) {
    const Vector inner_1 = S::load(from + pitch), inner_2 = S::load(from + 2 * pitch);
    const Vector outer_1 = S::load(from + 3 * pitch), outer_2 = S::load(from + 4 * pitch);
    const Vector inner_even = inner_1 + inner_2, inner_odd = kInner * (inner_1 - inner_2);
    const Vector outer_even = outer_1 + outer_2, outer_odd = kOuter * (outer_1 - outer_2);
    const Vector y0 = S::load(from) + inner_even + outer_even + bias;
    const Vector y1 = inner_odd + outer_odd + bias;
    const Vector y2 = 0.5f * inner_even + 2 * outer_even + bias;
    const Vector y3 = 0.5f * inner_odd + 2 * outer_odd + S::load(from + 5 * pitch) + bias;
    const Vector even = interleave<float, 0>(y0, y2), later_even = interleave<float, 1>(y0, y2);
    const Vector odd = interleave<float, 0>(y1, y3), later_odd = interleave<float, 1>(y1, y3);
    const Vector out[] = {interleave<float, 0>(even, odd), interleave<float, 1>(even, odd),
                          interleave<float, 0>(later_even, later_odd),
                          interleave<float, 1>(later_even, later_odd)};
    for (int part = 0; part < kOutputs; ++part) {
      const std::int64_t at = i + part * kLanes;
      if (at >= total) return;
      S::store_some(to + at, add ? out[part] + S::load_between(to, at, 0, total) : out[part], total - at);
    }
  }
}

}  // namespace evenkeel::kernels::winograd
