#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/core/tensor.h>

namespace evenkeel {

struct ConvParameters {
  Axes stride = 1;
  Axes padding = 0;           ///< zeros in front of each axis, and behind it unless padding_end is set
  Axes padding_end = Axes();  ///< zeros behind each axis
  Axes dilation = 1;
  std::int64_t groups = 1;
};

/// Cross-correlation over one to three spatial axes. x (N, C_in, L…) or unbatched (C_in, L…), weight (C_out,
/// C_in / groups, kernel…), bias (C_out) or undefined -> (N, C_out, L_out…) with L_out = ⌊(L + padding +
/// padding_end - dilation·(kernel - 1) - 1) / stride⌋ + 1. ShapeError if the shapes do not fit or L_out < 1,
/// ConfigError for invalid parameters. Double backward: yes.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
            const ConvParameters& parameters = {});

struct ConvTransposeParameters {
  Axes stride = 1;
  Axes padding = 0;
  Axes output_padding = 0;  ///< cells added behind each axis; below stride or dilation
  Axes dilation = 1;
  std::int64_t groups = 1;
};

/// The adjoint of conv(), plus bias. x (N, C_in, L…) or unbatched, weight (C_in, C_out / groups, kernel…),
/// bias (C_out) or undefined -> (N, C_out, L_out…) with L_out = (L - 1)·stride - 2·padding + dilation·(kernel
/// - 1) + output_padding + 1. Errors as conv(). Double backward: yes.
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      const ConvTransposeParameters& parameters = {});

}  // namespace evenkeel
