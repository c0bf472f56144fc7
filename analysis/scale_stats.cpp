#include <evenkeel/analysis/scale_stats.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace evenkeel::analysis {

namespace {

/// |value| as an integer that grows with it. Unlike a comparison of floats it also sees sub-normal numbers
/// where the processor takes them for zero.
template <class T>
auto magnitude(T value) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(value) & (std::numeric_limits<Bits>::max() >> 1);
}

template <class T>
double deviation_of(const T* data, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += data[i];
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) squares += (data[i] - mean) * (data[i] - mean);
  return std::sqrt(squares / static_cast<double>(count));
}

template <class T>
ScaleStats stats_of(const T* data, std::int64_t count) {
  const auto limit = [](double value) { return magnitude(static_cast<T>(value)); };
  const auto subnormal_f16 = limit(0x1p-14), subnormal_f32 = limit(0x1p-126);
  const auto above_e4m3 = limit(448), below_e4m3 = limit(0x1p-9);
  const auto above_e5m2 = limit(57344), below_e5m2 = limit(0x1p-16);
  const auto infinity = magnitude(std::numeric_limits<T>::infinity());
  ScaleStats counts;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto size = magnitude(data[i]);
    counts.zero += size == 0;
    counts.subnormal_f16 += size != 0 && size < subnormal_f16;
    counts.subnormal_f32 += size != 0 && size < subnormal_f32;
    counts.above_e4m3 += size > above_e4m3 && size <= infinity;
    counts.below_e4m3 += size != 0 && size < below_e4m3;
    counts.above_e5m2 += size > above_e5m2 && size <= infinity;
    counts.below_e5m2 += size != 0 && size < below_e5m2;
    counts.not_finite += size >= infinity;
  }
  for (double* share : {&counts.zero, &counts.subnormal_f16, &counts.subnormal_f32, &counts.above_e4m3,
                        &counts.below_e4m3, &counts.above_e5m2, &counts.below_e5m2, &counts.not_finite})
    *share /= static_cast<double>(count);
  counts.deviation =
      counts.not_finite > 0 ? std::numeric_limits<double>::quiet_NaN() : deviation_of(data, count);
  return counts;
}

}  // namespace

ScaleStats scale_stats(const Tensor& tensor) {
  evenkeel::detail::check_floating("scale_stats", {tensor});
  if (tensor.numel() == 0) return {};
  return evenkeel::detail::dispatch_floating(
      "scale_stats", tensor.dtype(), [&]<class T>() { return stats_of(tensor.data<T>(), tensor.numel()); });
}

}  // namespace evenkeel::analysis
