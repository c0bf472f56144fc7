#pragma once

#include <array>
#include <cstdint>

namespace evenkeel::kernels {

enum class PadFill { constant, reflect, replicate, circular };

/// Sizes of a padding: x is (planes, in…), y is (planes, before + in + after…). Negative amounts crop, for
/// PadFill::constant. Reflect needs amounts below `in`, circular at most `in`: the caller checks.
struct PadGeometry {
  int rank = 1;
  std::int64_t planes = 1;
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::int64_t, 3> before{0, 0, 0};
  std::array<std::int64_t, 3> after{0, 0, 0};
};

template <class T>
void pad_forward(const PadGeometry& g, PadFill fill, T value, const T* x, T* y);
/// gx = adjoint applied to gy + beta * gx; beta is 0 (gx not read) or 1.
template <class T>
void pad_backward(const PadGeometry& g, PadFill fill, const T* gy, T* gx, T beta);

}  // namespace evenkeel::kernels
