#pragma once

#include <evenkeel/core/kernels/elementwise.h>

#include <algorithm>
#include <cstdint>

namespace evenkeel::kernels {

/// Count, mean and sum of squared deviations of some elements; two of them merge without cancellation
/// (Chan, Golub, LeVeque 1979).
struct Moments {
  double count = 0;
  double mean = 0;
  double deviation = 0;

  void add(const Moments& other) {
    if (other.count == 0) return;
    const double total = count + other.count;
    const double delta = other.mean - mean;
    mean += delta * (other.count / total);
    deviation += other.deviation + delta * delta * (count * other.count / total);
    count = total;
  }
  double variance() const { return count > 0 ? deviation / count : 0; }
};

inline constexpr std::int64_t kMomentLanes = 32;
inline constexpr std::int64_t kMomentBlock = 2048;

/// Sum of f(i) for i in [0, n), f free of dependencies between different i, in kMomentLanes interleaved
/// partial sums. `arrays` are those that f reads at i from memory.
template <class T, class F, class... A>
T sum_lanes(std::int64_t n, F&& f, A*... arrays) {
  T lanes[kMomentLanes] = {};
  std::int64_t i = 0;
  for (; i + kMomentLanes <= n; i += kMomentLanes) {
    (fetch_ahead<kMomentLanes>(arrays + i), ...);
#pragma GCC ivdep
    for (std::int64_t lane = 0; lane < kMomentLanes; ++lane) lanes[lane] += f(i + lane);
  }
  for (std::int64_t lane = 0; i + lane < n; ++lane) lanes[lane] += f(i + lane);
  for (std::int64_t width = kMomentLanes / 2; width > 0; width /= 2)
    for (std::int64_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

/// Moments of n < kMomentLanes elements, in double: where a norm divides by the deviation of a few elements,
/// rounding counts most, and there are no vectors to gain from.
template <class T>
Moments moments_of_few(const T* x, std::int64_t n) {
  if (n == 0) return {};
  const double count = static_cast<double>(n);
  double sum = 0, deviation = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / count;
  for (std::int64_t i = 0; i < n; ++i) {
    const double difference = static_cast<double>(x[i]) - mean;
    deviation += difference * difference;
  }
  return {count, mean, deviation};
}

/// Sums over a row of gy, and of gy times the centred (in the end: normalised) input.
struct GradientSums {
  double gradient = 0;
  double product = 0;

  void add(const GradientSums& other, double factor) {
    gradient += factor * other.gradient;
    product += factor * other.product;
  }
};

/// The sums of gy(i) and gy(i) * (x[i] - mean) for i in [0, n); in double if there are only a few. `arrays`
/// as in sum_lanes.
template <class T, class G, class... A>
GradientSums gradient_sums(const T* x, G&& gy, std::int64_t n, T mean, A*... arrays) {
  GradientSums all;
  if (n < kMomentLanes) {
    for (std::int64_t i = 0; i < n; ++i) {
      const double g = static_cast<double>(gy(i));
      all.gradient += g;
      all.product += g * (static_cast<double>(x[i]) - static_cast<double>(mean));
    }
    return all;
  }
  for (std::int64_t begin = 0; begin < n; begin += kMomentBlock) {
    const std::int64_t end = std::min(begin + kMomentBlock, n);
    T plain[kMomentLanes] = {};
    T product[kMomentLanes] = {};
    const auto add = [&](std::int64_t lane, std::int64_t i) {
      const T g = gy(i);
      plain[lane] += g;
      product[lane] += g * (x[i] - mean);
    };
    std::int64_t i = begin;
    for (; i + kMomentLanes <= end; i += kMomentLanes) {
      (fetch_ahead<kMomentLanes>(arrays + i), ...);
      for (std::int64_t lane = 0; lane < kMomentLanes; ++lane) add(lane, i + lane);
    }
    for (std::int64_t lane = 0; i + lane < end; ++lane) add(lane, i + lane);
    all.gradient +=
        static_cast<double>(sum_lanes<T>(kMomentLanes, [&](std::int64_t lane) { return plain[lane]; }));
    all.product +=
        static_cast<double>(sum_lanes<T>(kMomentLanes, [&](std::int64_t lane) { return product[lane]; }));
  }
  return all;
}

/// Moments of n neighbouring elements: by blocks that stay in the L1 cache, first the block's mean, then the
/// deviations from it.
template <class T>
Moments moments_of(const T* x, std::int64_t n) {
  if (n < kMomentLanes) return moments_of_few(x, n);
  Moments all;
  for (std::int64_t begin = 0; begin < n; begin += kMomentBlock) {
    const std::int64_t count = std::min(kMomentBlock, n - begin);
    const T* block = x + begin;
    const T mean = sum_lanes<T>(
                       count, [=](std::int64_t i) { return block[i]; }, block) /
                   static_cast<T>(count);
    // mean is rounded: the mean deviation corrects it.
    const GradientSums sums = gradient_sums(
        block, [=](std::int64_t i) { return block[i] - mean; }, count, mean);
    const double size = static_cast<double>(count);
    const double shift = static_cast<T>(sums.gradient / size);  // flushed where it is subnormal
    all.add({size, static_cast<double>(mean) + shift, sums.product - size * shift * shift});
  }
  return all;
}

}  // namespace evenkeel::kernels
