#pragma once

#include <evenkeel/core/kernels/simd.h>

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

/// Values of a three-tap kernel at the points, divided by what makes the products sum to the outputs.
inline std::array<float, kPoints> transform_kernel(float w0, float w1, float w2) {
  constexpr float kThird = 1.0f / 3.0f;
  const float inner_even = -2 * kThird * (w0 + 0.5f * w2);
  const float inner_odd = -2 * kThird * kInner * w1;
  const float outer_even = 0.5f * kThird * (w0 + 2 * w2);
  const float outer_odd = 0.5f * kThird * kOuter * w1;
  return {w0, inner_even + inner_odd, inner_even - inner_odd, outer_even + outer_odd, outer_even - outer_odd,
          w2};
}

using S = Simd<float>;
using Vector = S::Vector;

/// Copies rows as RowCopy does, transformed: to[p * pitch + q] = the value at point p of the six cells from
/// first + 4 q on.
class SourceRow {
 public:
  SourceRow(std::int64_t length, std::int64_t first, std::int64_t count, std::int64_t pitch)
      : length_(length), first_(first), count_(count), pitch_(pitch) {}

  void copy(const float* row, std::int64_t next, float* to) const {
    for (std::int64_t q = 0; q < count_; q += S::kLanes) {
      const std::int64_t at = first_ + kOutputs * q;
      Vector v[kOutputs + 1];
      for (int i = 0; i < 5; ++i) {
        v[i] = S::load_between(row, at + i * S::kLanes, 0, length_);
        __builtin_prefetch(row + at + i * S::kLanes + next);
      }
      const Vector even = evens<float>(v[0], v[1]), later_even = evens<float>(v[2], v[3]);
      const Vector odd = odds<float>(v[0], v[1]), later_odd = odds<float>(v[2], v[3]);
      const Vector d0 = evens<float>(even, later_even), d2 = odds<float>(even, later_even);
      const Vector d1 = evens<float>(odd, later_odd), d3 = odds<float>(odd, later_odd);
      const Vector d4 = joined<float, 1>(d0, v[4]);
      const Vector d5 = joined<float, 1>(d1, joined<float, 1>(v[4], v[4]));
      const Vector inner_even = d4 - 2 * d2, inner_odd = kInner * (d3 - 2 * d1);
      const Vector outer_even = d4 - 0.5f * d2, outer_odd = kOuter * (d3 - 0.5f * d1);
      S::store(to + q, d0 + (d4 - 2.5f * d2));
      S::store(to + pitch_ + q, inner_even + inner_odd);
      S::store(to + 2 * pitch_ + q, inner_even - inner_odd);
      S::store(to + 3 * pitch_ + q, outer_even + outer_odd);
      S::store(to + 4 * pitch_ + q, outer_even - outer_odd);
      S::store(to + 5 * pitch_ + q, d1 + (d5 - 2.5f * d3));
    }
  }

  void clear(float* to) const {
    for (std::int64_t point = 0; point < kPoints; ++point)
      for (std::int64_t q = 0; q < count_; q += S::kLanes) S::store(to + point * pitch_ + q, Vector{});
  }

 private:
  std::int64_t length_, first_, count_, pitch_;
};

/// to[i] = bias + the outputs that from[p * pitch + q], sums at point p, stand for; += with add; i < total.
inline void deliver_row(const float* from, std::int64_t pitch, std::int64_t total, float bias, bool add,
                        float* to) {
  for (std::int64_t i = 0; i < total; i += kOutputs * S::kLanes, from += S::kLanes) {
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
      const std::int64_t at = i + part * S::kLanes;
      if (at >= total) return;
      S::store_some(to + at, add ? out[part] + S::load_between(to, at, 0, total) : out[part], total - at);
    }
  }
}

}  // namespace evenkeel::kernels::winograd
