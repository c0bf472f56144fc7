#pragma once

#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <array>
#include <cstdint>

/// Winograd's minimal filtering F(4, 3) along one axis: four neighbouring outputs of a three-tap kernel from
/// six products instead of twelve. Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
/// with the polynomials evaluated at 0, ±sqrt(1/2), ±sqrt(2) and infinity, where rounding errors are about
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

using AtPoints = std::array<Vector, kPoints>;
using Quadruple = std::array<Vector, kOutputs>;

/// Six neighbouring cells at the points.
inline AtPoints cells_at_points(const AtPoints& d) {
  const Vector inner_even = d[4] - 2 * d[2], inner_odd = kInner * (d[3] - 2 * d[1]);
  const Vector outer_even = d[4] - 0.5f * d[2], outer_odd = kOuter * (d[3] - 0.5f * d[1]);
  return {d[0] + (d[4] - 2.5f * d[2]), inner_even + inner_odd, inner_even - inner_odd,
          outer_even + outer_odd,      outer_even - outer_odd, d[1] + (d[5] - 2.5f * d[3])};
}

/// Three taps at the points, divided by what makes the products sum to the outputs.
inline AtPoints taps_at_points(Vector w0, Vector w1, Vector w2) {
  constexpr float kThird = 1.0f / 3.0f;
  const Vector inner_even = -2 * kThird * (w0 + 0.5f * w2);
  const Vector inner_odd = -2 * kThird * kInner * w1;
  const Vector outer_even = 0.5f * kThird * (w0 + 2 * w2);
  const Vector outer_odd = 0.5f * kThird * kOuter * w1;
  return {w0, inner_even + inner_odd, inner_even - inner_odd, outer_even + outer_odd, outer_even - outer_odd,
          w2};
}

/// The four outputs that sums at the points stand for.
inline Quadruple outputs_of(const AtPoints& sums) {
  const Vector inner_even = sums[1] + sums[2], inner_odd = kInner * (sums[1] - sums[2]);
  const Vector outer_even = sums[3] + sums[4], outer_odd = kOuter * (sums[3] - sums[4]);
  return {sums[0] + inner_even + outer_even, inner_odd + outer_odd, 0.5f * inner_even + 2 * outer_even,
          0.5f * inner_odd + 2 * outer_odd + sums[5]};
}

/// Gradients of four neighbouring outputs at the points.
inline AtPoints gradients_at_points(const Quadruple& y) {
  const Vector inner_even = y[0] + 0.5f * y[2], inner_odd = kInner * (y[1] + 0.5f * y[3]);
  const Vector outer_even = y[0] + 2 * y[2], outer_odd = kOuter * (y[1] + 2 * y[3]);
  return {
      y[0], inner_even + inner_odd, inner_even - inner_odd, outer_even + outer_odd, outer_even - outer_odd,
      y[3]};
}

/// Gradients of the three taps that sums of cells times gradients at the points stand for.
inline std::array<Vector, kTaps> tap_gradients_of(const AtPoints& sums) {
  constexpr float kThird = 1.0f / 3.0f;
  const Vector inner_even = -2 * kThird * (sums[1] + sums[2]);
  const Vector outer_even = 0.5f * kThird * (sums[3] + sums[4]);
  return {sums[0] + inner_even + outer_even,
          -2 * kThird * kInner * (sums[1] - sums[2]) + 0.5f * kThird * kOuter * (sums[3] - sums[4]),
          0.5f * inner_even + 2 * outer_even + sums[5]};
}

/// from[p * pitch + lane] of all points.
inline AtPoints load_points(const float* from, std::int64_t pitch) {
  AtPoints values;
#pragma GCC unroll 6
  for (std::size_t p = 0; p < values.size(); ++p)
    values[p] = S::load(from + static_cast<std::int64_t>(p) * pitch);
  return values;
}

inline void store_points(const AtPoints& values, float* to, std::int64_t pitch) {
#pragma GCC unroll 6
  for (std::size_t p = 0; p < values.size(); ++p)
    S::store(to + static_cast<std::int64_t>(p) * pitch, values[p]);
}

/// A dilated row holds `turns` sequences that take turns. So do their quadruples: quadruple q belongs to
/// sequence q % turns, and its cells are `turns` apart from 4 q - 3 (q % turns) on. Vectors of quadruples are
/// taken apart by shuffles of whole elements where a power of two of sequences fits into half a vector;
/// elsewhere vectors of neighbours, one of each sequence at most, are read for each of a quadruple's cells.
/// Returns the lanes that one quadruple of each sequence takes.
inline std::int64_t lanes_a_turn(std::int64_t turns) {
  const bool shuffled = 2 * turns <= kLanes && (turns & (turns - 1)) == 0;
  return shuffled ? turns : ceil_div(turns, kLanes) * kLanes;
}

/// Calls f<kWidth>() for shuffles of elements of kWidth lanes, f<0>() for vectors of neighbours.
template <class F>
void for_turns(std::int64_t turns, F&& f) {
  if (turns == 1) return f.template operator()<1>();
  if constexpr (kLanes > 2)
    if (turns == 2) return f.template operator()<2>();
  if constexpr (kLanes > 4)
    if (turns == 4) return f.template operator()<4>();
  if constexpr (kLanes > 8)
    if (turns == 8) return f.template operator()<8>();
  f.template operator()<0>();
}

/// Calls f(q, cell, some) for vectors of quadruples begin + q … that are neighbours, `some` of `count`: their
/// first cells are neighbours too, from `cell` on.
template <class F>
void each_neighbours(std::int64_t turns, std::int64_t begin, std::int64_t count, F&& f) {
  std::int64_t turn = begin % turns, cell = kOutputs * begin - (kOutputs - 1) * turn;
  for (std::int64_t q = 0; q < count;) {
    const std::int64_t some = std::min({kLanes, turns - turn, count - q});
    f(q, cell, some);
    q += some, turn += some, cell += some;
    if (turn == turns) turn = 0, cell += (kOutputs - 1) * turns;
  }
}

/// Element q, of kWidth lanes, is element 4 q + kFirst of a followed by b, the last where there is none.
template <int kFirst, int kWidth>
Vector every_fourth(Vector a, Vector b) {
  constexpr int kLast = 2 * S::kLanes / kWidth - 1;
  return [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(
        a, b, (std::min(4 * (kIndex / kWidth) + kFirst, kLast) * kWidth + kIndex % kWidth)...);
  }
  (std::make_integer_sequence<int, S::kLanes>{});
}

/// Vectors v, one behind the other, as the quadruples' first cells, second cells, and so on.
template <int kWidth>
Quadruple quartered(const Vector* v) {
  const Vector even = evens<float, kWidth>(v[0], v[1]), later_even = evens<float, kWidth>(v[2], v[3]);
  const Vector odd = odds<float, kWidth>(v[0], v[1]), later_odd = odds<float, kWidth>(v[2], v[3]);
  return {evens<float, kWidth>(even, later_even), evens<float, kWidth>(odd, later_odd),
          odds<float, kWidth>(even, later_even), odds<float, kWidth>(odd, later_odd)};
}

/// bias + the outputs that from[p * pitch + lane], sums at point p, stand for.
inline Quadruple transform_sums(const float* from, std::int64_t pitch, float bias) {
  Quadruple y = outputs_of(load_points(from, pitch));
  for (Vector& v : y) v += bias;
  return y;
}

/// The same in the order of a row.
template <int kWidth>
Quadruple woven_sums(const float* from, std::int64_t pitch, float bias) {
  const auto y = transform_sums(from, pitch, bias);
  const Vector even = interleave<float, 0, kWidth>(y[0], y[2]),
               later_even = interleave<float, 1, kWidth>(y[0], y[2]);
  const Vector odd = interleave<float, 0, kWidth>(y[1], y[3]),
               later_odd = interleave<float, 1, kWidth>(y[1], y[3]);
  return {interleave<float, 0, kWidth>(even, odd), interleave<float, 1, kWidth>(even, odd),
          interleave<float, 0, kWidth>(later_even, later_odd),
          interleave<float, 1, kWidth>(later_even, later_odd)};
}

}  // namespace evenkeel::kernels::winograd
