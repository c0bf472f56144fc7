#pragma once

#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace evenkeel::kernels::upsample {

/// Along one axis, output o is near[o] * x[first[o]] + far[o] * x[first[o] + 1]; `first` never falls, and
/// where there is no second cell, near is 1 and far 0. Vectors may read beyond the last factor.
template <class T>
struct Taps {
  explicit Taps(std::int64_t out)
      : first(static_cast<std::size_t>(out)), near(first.size() + Simd<T>::kLanes, T(1)), far(near.size()) {}

  /// Whether every output is a cell.
  bool copies() const {
    return std::all_of(far.begin(), far.end(), [](T factor) { return factor == T(0); });
  }
  /// Whether output o repeats the one before it, both copies of a cell.
  bool repeats(std::int64_t o) const {
    return o > 0 && first[o] == first[o - 1] && far[o] == T(0) && far[o - 1] == T(0);
  }

  ScratchVector<std::int32_t> first;
  ScratchVector<T> near, far;
};

/// Distance in x of neighbouring outputs: from the factor if the user gave one, else from the sizes.
template <class T>
T read_step(double scale, std::int64_t in, std::int64_t out) {
  return scale > 0 ? static_cast<T>(1.0 / scale) : static_cast<T>(in) / static_cast<T>(out);
}

template <class T>
Taps<T> nearest_taps(std::int64_t in, std::int64_t out, double scale) {
  Taps<T> taps(out);
  const auto step = read_step<float>(scale, in, out);
  for (std::int64_t o = 0; o < out; ++o) {
    std::int64_t cell = std::min(static_cast<std::int64_t>(std::floor(static_cast<float>(o) * step)), in - 1);
    if (out == in) cell = o;
    if (out == 2 * in) cell = o / 2;
    taps.first[o] = static_cast<std::int32_t>(cell);
  }
  return taps;
}

template <class T>
Taps<T> linear_taps(std::int64_t in, std::int64_t out, double scale, bool align_corners) {
  Taps<T> taps(out);
  T step = 0;
  if (!align_corners)
    step = read_step<T>(scale, in, out);
  else if (out > 1)
    step = static_cast<T>(in - 1) / static_cast<T>(out - 1);
  for (std::int64_t o = 0; o < out; ++o) {
    T at = static_cast<T>(o);
    if (out != in) at = align_corners ? step * at : std::max(step * (at + T(0.5)) - T(0.5), T(0));
    const std::int64_t cell = std::min(static_cast<std::int64_t>(std::floor(at)), in - 1);
    const T far = out == in || cell == in - 1 ? T(0) : std::clamp(at - static_cast<T>(cell), T(0), T(1));
    taps.first[o] = static_cast<std::int32_t>(out == in ? o : cell);
    taps.near[o] = T(1) - far;
    taps.far[o] = far;
  }
  return taps;
}

/// Taps from the cells' side: cell i is read by count[i] outputs from first[i] on, the k-th of which has
/// weight(k)[i] of it; 0 for those behind the last, up to `most`.
template <class T>
struct Readers {
  Readers(const Taps<T>& taps, std::int64_t in)
      : first(static_cast<std::size_t>(in)),
        count(first.size()),
        pitch_(ceil_div(in, Simd<T>::kLanes) * Simd<T>::kLanes) {
    const auto each_read = [&](auto&& f) {
      for (std::size_t o = 0; o < taps.first.size(); ++o) {
        const auto cell = static_cast<std::size_t>(taps.first[o]);
        f(static_cast<std::int32_t>(o), cell, taps.near[o]);
        if (taps.far[o] != T(0)) f(static_cast<std::int32_t>(o), cell + 1, taps.far[o]);
      }
    };
    each_read([&](std::int32_t o, std::size_t cell, T) {
      if (count[cell]++ == 0) first[cell] = o;
      most = std::max<std::int64_t>(most, count[cell]);
    });
    for (std::size_t cell = 1; cell < first.size(); ++cell)
      if (count[cell] == 0) first[cell] = first[cell - 1];
    weights_.resize(static_cast<std::size_t>(most * pitch_));
    ones_ = std::all_of(count.begin(), count.end(), [&](std::int32_t some) { return some == most; });
    each_read([&](std::int32_t o, std::size_t cell, T weight) {
      ones_ = ones_ && weight == T(1);
      weights_[(o - first[cell]) * pitch_ + static_cast<std::int64_t>(cell)] = weight;
    });
  }

  const T* weight(std::int64_t k) const { return weights_.data() + k * pitch_; }
  std::int64_t pitch() const { return pitch_; }
  /// Whether each cell has `most` readers of weight 1.
  bool ones() const { return ones_; }

  ScratchVector<std::int32_t> first, count;
  std::int64_t most = 0;

 private:
  std::int64_t pitch_;
  bool ones_;
  ScratchVector<T> weights_;
};

}  // namespace evenkeel::kernels::upsample
