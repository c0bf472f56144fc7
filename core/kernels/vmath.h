#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

/// exp, log, tanh and sigmoid without branches or calls in f32, so that a plain loop over them
/// vectorises; within 3 ulp, with the library's results for infinities and NaN. Results below the range of
/// normal numbers may be 0, but for exp. f64 is the library's.
namespace evenkeel::kernels::vmath {

inline double exp(double x) { return std::exp(x); }
inline double exp_of_negative(double x) { return std::exp(x); }
inline double log(double x) { return std::log(x); }
inline double log1p_of_unit(double x) { return std::log1p(x); }
inline double tanh(double x) { return std::tanh(x); }
inline double sigmoid(double x) {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1.0) / (1 + e);
}

/// φ(0), the peak of the normal density.
constexpr double kNormalPeak = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;
/// Φ(x), the normal distribution function, to full relative accuracy in the left tail.
inline double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752); }
/// x·Φ(x) and its slope, Φ(x) + x·φ(x).
inline double gelu(double x) { return x * normal_cdf(x); }
inline double gelu_slope(double x) { return normal_cdf(x) + x * kNormalPeak * exp(-0.5 * x * x); }

namespace detail {

/// 2^n for -126 <= n <= 127.
inline float power_of_two(std::int32_t n) { return std::bit_cast<float>((n + 127) << 23); }

template <int kCount>
inline float polynomial(const float (&c)[kCount], float x) {
  float sum = c[kCount - 1];
#pragma GCC unroll 16
  for (int i = kCount - 2; i >= 0; --i) sum = sum * x + c[i];
  return sum;
}

/// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by a minimax fit: for x in [-106, 89].
struct Exponent {
  explicit Exponent(float x) {
    constexpr float kLog2e = 1.44269504088896341f;
    constexpr float kLn2High = 0.693359375f;
    constexpr float kLn2Low = -2.12194440e-4f;
    const float shifted = x * kLog2e + kRound;
    const float n = shifted - kRound;
    bits = std::bit_cast<std::int32_t>(shifted);
    rest = (x - n * kLn2High) - n * kLn2Low;
  }
  float of_rest() const { return rest_minus_1() + 1.0f; }
  float rest_minus_1() const {
    constexpr float kFit[] = {1.0f, 0.49999994f, 0.166665196f, 0.0416683927f, 0.00836875569f, 0.00138144591f};
    return rest * polynomial(kFit, rest);
  }
  static constexpr float kRound = 12582912.0f;  ///< adding 1.5 * 2^23 rounds to an integer in the low bits
  std::int32_t bits;                            ///< n + those of kRound
  float rest;
};

/// value · 2^n, the result normal, for n + Exponent::kRound.
inline float scaled(float value, float shifted) {
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(value) +
                              (std::bit_cast<std::int32_t>(shifted) << 23));
}

}  // namespace detail

inline float exp(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const detail::Exponent e(x);
  const std::int32_t n = e.bits - std::bit_cast<std::int32_t>(detail::Exponent::kRound);
  const std::int32_t half = n >> 1;  // in two steps: the result may be subnormal or infinite
  return e.of_rest() * detail::power_of_two(half) * detail::power_of_two(n - half);
}

/// e^x for x <= 0; 0 where that is no normal number.
inline float exp_of_negative(float x) {
  constexpr float kLeast = -87.33f;
  const detail::Exponent e(x < kLeast ? kLeast : x);
  // The shift leaves n alone of the bits.
  const float value = e.of_rest() * std::bit_cast<float>((e.bits << 23) + std::bit_cast<std::int32_t>(1.0f));
  return x < kLeast ? 0.0f : value;
}

namespace detail {

/// log(2^n (1 + r)) for sqrt(1/2) <= 1 + r <= sqrt(2); coefficients of Cephes' logf.
inline float log_of_parts(float n, float r) {
  constexpr float kTail[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,
                             -1.6668057665e-1f, 1.4249322787e-1f,  -1.2420140846e-1f,
                             1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
  const float square = r * r;
  float value = r * square * polynomial(kTail, r);
  value += n * -2.12194440e-4f;
  value -= 0.5f * square;
  return r + value + n * 0.693359375f;
}

}  // namespace detail

inline float log(float x) {
  const bool tiny = x < std::numeric_limits<float>::min();
  const float scaled = tiny ? x * 8388608.0f : x;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled);
  const std::int32_t power = static_cast<std::int32_t>(bits - 0x3f3504f3u) >> 23;  // the bits of sqrt(1/2)
  const float r = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(power) << 23)) - 1.0f;
  float value = detail::log_of_parts(static_cast<float>(power) - (tiny ? 23.0f : 0.0f), r);
  value = x > 0.0f ? value
                   : (x == 0.0f ? -std::numeric_limits<float>::infinity()
                                : std::numeric_limits<float>::quiet_NaN());
  return x == std::numeric_limits<float>::infinity() ? x : value;
}

/// log(1 + x) for 0 <= x <= 1.
inline float log1p_of_unit(float x) {
  const bool large = x > std::numbers::sqrt2_v<float> - 1;
  return detail::log_of_parts(large ? 1.0f : 0.0f, large ? 0.5f * x - 0.5f : x);
}

inline float sigmoid(float x) {
  const float e = exp_of_negative(-std::fabs(x));
  const float large = 1.0f / (1.0f + e);  // of |x|; e times it, that of -|x|: no cancellation on either side
  return x < 0.0f ? e * large : large;
}

/// (1 - e^-2|x|) / (1 + e^-2|x|), by t = e^-2|x| - 1, which keeps its digits near 0: 2|x| = n ln 2 - 2r, and
/// e^2r - 1 by a minimax fit.
inline float tanh(float x) {
  constexpr float kFit[] = {2.0f, 1.9999999f, 1.3333235f, 0.6666752f, 0.26773056f, 0.08884806f};
  constexpr float kHalfLn2 = 0.34657359f, kTwiceLog2e = 2.88539008f;
  const float size = std::fabs(x) > 9.5f ? 9.5f : std::fabs(x);
  const float shifted = detail::Exponent::kRound - size * kTwiceLog2e;
  const float r = (detail::Exponent::kRound - shifted) * kHalfLn2 - size;
  const float power = detail::scaled(1.0f, shifted);
  const float t = power * (r * detail::polynomial(kFit, r)) + (power - 1.0f);
  return std::copysign(t / (t + 2.0f), x);
}

namespace detail {

/// Φ(-size) = factor · ratio for 0 <= size <= 14.5, where the tail leaves the range of float. The factor is
/// 2^32 exp(-size²/2), a normal number; the ratio, smooth, a fit by a quotient of polynomials.
struct NormalTail {
  explicit NormalTail(float size) {
    constexpr float kHalfLog2e = 0.72134752f, kTwiceLn2High = 1.38671875f, kTwiceLn2Low = -4.2438888e-4f;
    constexpr float kShift = Exponent::kRound + 32;
    constexpr float kExpOfHalf[] = {
        1.0f, 0.5f, 0.124999985f, 0.0208330378f, 0.00260425063f, 0.000261694891f, 2.16305563e-05f};
    const float square = size * size;
    const float shifted = kShift - square * kHalfLog2e;
    const float n = kShift - shifted;  // size² = 2 ln 2 n - rest
    const float rest = (n * kTwiceLn2High - square) + n * kTwiceLn2Low;
    factor = scaled(polynomial(kExpOfHalf, rest), shifted);

    constexpr float kAbove[] = {0.5f * kUnlift, 0.427291217f * kUnlift, 0.175075213f * kUnlift,
                                0.0378809447f * kUnlift, 0.00370750456f * kUnlift};
    constexpr float kBelow[] = {1.0f, 1.65246715f, 1.16862644f, 0.447928819f, 0.0949635643f, 0.00929312761f};
    ratio = polynomial(kAbove, size) / polynomial(kBelow, size);
  }
  static constexpr float kUnlift = 0x1p-32f;
  float factor, ratio;
};

inline float normal_size(float x) { return std::fabs(x) > 14.5f ? 14.5f : std::fabs(x); }

}  // namespace detail

inline float normal_cdf(float x) {
  const detail::NormalTail tail(detail::normal_size(x));
  const float value = tail.factor * tail.ratio;
  return x < 0.0f ? value : 1.0f - value;
}

inline float gelu(float x) {
  const float size = detail::normal_size(x);
  const detail::NormalTail tail(size);
  return (x < 0.0f ? 0.0f : x) - size * tail.factor * tail.ratio;
}

inline float gelu_slope(float x) {
  constexpr float kPeak = static_cast<float>(kNormalPeak) * detail::NormalTail::kUnlift;
  const float size = detail::normal_size(x);
  const detail::NormalTail tail(size);
  const float value = (tail.ratio - size * kPeak) * tail.factor;
  return x < 0.0f ? value : 1.0f - value;
}

}  // namespace evenkeel::kernels::vmath
