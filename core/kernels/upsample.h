#pragma once

#include <array>
#include <cstdint>

namespace evenkeel::kernels {

/// Sizes of a resampling: x is (planes, in…), y is (planes, out…), planes = batch * channels. `scale` is the
/// scale factor the user gave for an axis, 0 when only the size was given: as in PyTorch, a given factor, not
/// out / in, says where an output is read from.
struct UpsampleGeometry {
  std::int64_t planes = 1;
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::int64_t, 3> out{1, 1, 1};
  std::array<double, 3> scale{0, 0, 0};
  int rank = 1;
  bool align_corners = false;  ///< linear only: the corner cells' centres coincide
};

template <class T>
void upsample_nearest_forward(const UpsampleGeometry& g, const T* x, T* y);
/// gx = adjoint applied to gy + beta * gx; beta is 0 (gx not read) or 1.
template <class T>
void upsample_nearest_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta);

/// Linear, bilinear or trilinear, by rank.
template <class T>
void upsample_linear_forward(const UpsampleGeometry& g, const T* x, T* y);
template <class T>
void upsample_linear_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta);

}  // namespace evenkeel::kernels
