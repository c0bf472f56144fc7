#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/core/tensor.h>

#include <cstdint>

namespace evenkeel {

/// linear, bilinear and trilinear are one thing, named by the number of spatial axes.
enum class InterpolationMode : std::uint8_t { nearest, linear, bilinear, trilinear };

/// "nearest", "linear", "bilinear" or "trilinear".
const char* name(InterpolationMode mode);

struct InterpolateParameters {
  Axes size = Axes();                ///< of the output; or
  Factors scale_factor = Factors();  ///< output size = ⌊size · factor⌋
  InterpolationMode mode = InterpolationMode::nearest;
  bool align_corners = false;  ///< the corner cells' centres coincide; not for nearest
};

/// ConfigError, in the name of `op`, unless `parameters` make sense for `rank` spatial axes: exactly one of
/// size and scale_factor, a mode for that many axes, no align_corners for nearest.
void check_interpolation(const char* op, int rank, const InterpolateParameters& parameters);

/// Resamples x (N, C, L…) of one to three spatial axes to (N, C, L_out…), as PyTorch's interpolate: where a
/// factor is given, the source position is computed with it and not with the ratio of the sizes. (Nearest
/// with a factor that gives just as many or twice as many cells reads as if the factor were 1 or 2. PyTorch
/// does that in its backward and in two dimensions, but not in its forward in one and three.) ShapeError for
/// an output without cells or an input axis without. Double backward: yes.
Tensor interpolate(const Tensor& x, const InterpolateParameters& parameters);

}  // namespace evenkeel
