#pragma once

#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <array>
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

/// Reads a vector of each array from the same place on.
template <class T>
class VectorAt {
 public:
  using Vector = typename Simd<T>::Vector;
  explicit VectorAt(std::int64_t at) : at_(at) {}

  Vector operator()(const T* array) const { return Simd<T>::load(array + at_); }
  /// `value` in the lanes that are read, zeros in the others.
  Vector only(Vector value) const { return value; }

 private:
  std::int64_t at_;
};

/// The same where fewer are left: zeros behind them.
template <class T>
class SomeLanesAt {
 public:
  using Vector = typename Simd<T>::Vector;
  SomeLanesAt(std::int64_t at, std::int64_t end) : at_(at), mask_(Simd<T>::lanes_between(at, 0, end)) {}

  Vector operator()(const T* array) const { return Simd<T>::load_masked(array + at_, mask_); }
  Vector only(Vector value) const {
    T lanes[Simd<T>::kLanes];
    Simd<T>::store(lanes, value);
    return Simd<T>::load_masked(lanes, mask_);
  }

 private:
  std::int64_t at_;
  typename Simd<T>::Mask mask_;
};

/// Sums over [begin, end) of the kSums values of f(read): `read` is a VectorAt or SomeLanesAt, for which f
/// has to give zeros where it reads them. In kMomentLanes interleaved partial sums; `arrays` as in sum_lanes.
template <class T, std::size_t kSums, class F, class... A>
std::array<T, kSums> vector_sums(std::int64_t begin, std::int64_t end, F&& f, A*... arrays) {
  using S = Simd<T>;
  constexpr int kVectors = static_cast<int>(kMomentLanes) / S::kLanes;
  typename S::Vector sums[kSums][kVectors] = {};
  const auto add = [&](int v, const std::array<typename S::Vector, kSums>& values) {
    for (std::size_t k = 0; k < kSums; ++k) sums[k][v] += values[k];
  };
  std::int64_t i = begin;
  for (; i + kMomentLanes <= end; i += kMomentLanes) {
    (fetch_ahead<kMomentLanes>(arrays + i), ...);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) add(v, f(VectorAt<T>(i + v * S::kLanes)));
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v)
    if (i + v * S::kLanes < end) add(v, f(SomeLanesAt<T>(i + v * S::kLanes, end)));
  std::array<T, kSums> totals;
  for (std::size_t k = 0; k < kSums; ++k) {
#pragma GCC unroll 8
    for (int width = kVectors / 2; width > 0; width /= 2)
#pragma GCC unroll 8
      for (int v = 0; v < width; ++v) sums[k][v] += sums[k][v + width];
    totals[k] = sum_of_lanes<T>(sums[k][0]);
  }
  return totals;
}

/// Moments of a few elements, in double: where a norm divides by their deviation rounding counts most.
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

/// Moments of n neighbouring elements: by blocks that stay in the L1 cache, first the block's mean, then the
/// deviations from it.
template <class T>
Moments moments_of(const T* x, std::int64_t n) {
  if (n < kMomentLanes) return moments_of_few(x, n);
  Moments all;
  for (std::int64_t begin = 0; begin < n; begin += kMomentBlock) {
    const std::int64_t end = std::min(begin + kMomentBlock, n), count = end - begin;
    const T mean = vector_sums<T, 1>(
                       begin, end, [=](auto read) { return std::array{read(x)}; }, x)[0] /
                   static_cast<T>(count);
    // mean is rounded: the mean deviation corrects it.
    const auto [off, squares] = vector_sums<T, 2>(begin, end, [=](auto read) {
      const auto difference = read.only(read(x) - mean);
      return std::array{difference, difference * difference};
    });
    const double size = static_cast<double>(count);
    const double shift = static_cast<T>(static_cast<double>(off) / size);  // flushed where it is subnormal
    all.add({size, static_cast<double>(mean) + shift, static_cast<double>(squares) - size * shift * shift});
  }
  return all;
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

/// The sums of gy and gy * (x - mean) over n elements; in double if there are only a few. gy(read) is made of
/// what read(array) gives: an element, a vector of them, or zeros behind the last, where gy has to be zero.
template <class T, class G, class... A>
GradientSums gradient_sums(const T* x, G&& gy, std::int64_t n, T mean, A*... arrays) {
  GradientSums all;
  if (n < kMomentLanes) {
    for (std::int64_t i = 0; i < n; ++i) {
      const double g = static_cast<double>(gy([i](const T* array) { return array[i]; }));
      all.gradient += g;
      all.product += g * (static_cast<double>(x[i]) - static_cast<double>(mean));
    }
    return all;
  }
  for (std::int64_t begin = 0; begin < n; begin += kMomentBlock) {
    const auto [gradient, product] = vector_sums<T, 2>(
        begin, std::min(begin + kMomentBlock, n),
        [&](auto read) {
          const auto g = gy(read);
          return std::array{g, g * (read(x) - mean)};
        },
        arrays...);
    all.gradient += static_cast<double>(gradient);
    all.product += static_cast<double>(product);
  }
  return all;
}

}  // namespace evenkeel::kernels
