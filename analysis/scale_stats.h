#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel::analysis {

/// How a tensor's numbers sit in small number formats. All but `deviation` are shares of the elements, 0 … 1.
/// E4M3 and E5M2 are the 8-bit formats of OCP: largest 448 and 57344, smallest above zero 2^-9 and 2^-16.
struct ScaleStats {
  double deviation = 0;  ///< standard deviation, √(mean of (x - mean)²); NaN if an element is not finite
  double zero = 0;       ///< exactly 0
  double subnormal_f16 = 0;  ///< 0 < |x| < 2^-14: f16 loses bits, or all
  double subnormal_f32 = 0;  ///< 0 < |x| < 2^-126
  double above_e4m3 = 0;     ///< |x| > 448, infinities too
  double below_e4m3 = 0;     ///< 0 < |x| < 2^-9
  double above_e5m2 = 0;     ///< |x| > 57344, infinities too
  double below_e5m2 = 0;     ///< 0 < |x| < 2^-16
  double not_finite = 0;     ///< NaN or infinite
};

/// DTypeError unless `tensor` is floating; all zero for a tensor without elements.
ScaleStats scale_stats(const Tensor& tensor);

}  // namespace evenkeel::analysis
