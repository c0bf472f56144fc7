#pragma once

#include <evenkeel/core/ops/conv.h>
#include <evenkeel/core/ops/pad.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// One to three spatial axes, by the rank of the weight. The scales leave padding out: zeros at the borders
// lower the deviation a little, the more the wider the padding is against the axis.

/// Of (x, weight, bias): output (in/groups·Πkernel)^-½, x (Πstride·groups / (out·Πkernel))^½ (tied by the
/// constraint), parameters (batch·ΠL_out)^-½.
Scales conv_scales(const Shape& x, const Shape& weight, const ConvParameters& parameters,
                   Constraint constraint);
/// Shapes and errors as evenkeel::conv(). A padding mode other than zeros pads first, and once.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
            const ConvParameters& parameters = {}, Constraint constraint = Constraint::to_output_scale,
            PadMode padding_mode = PadMode::zeros);

/// As conv_scales(), but for the output: 1 / (in/groups·Πkernel).
Scales conv_readout_scales(const Shape& x, const Shape& weight, const ConvParameters& parameters,
                           Constraint constraint);
/// conv() for the last layer of a net.
Tensor conv_readout(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                    const ConvParameters& parameters = {}, Constraint constraint = Constraint::none,
                    PadMode padding_mode = PadMode::zeros);

/// Number of inputs that an output cell of conv_transpose() sees on average: in/groups·Πkernel / Πstride.
double conv_transpose_fan_in(const Shape& weight, const ConvTransposeParameters& parameters);
/// Of (x, weight, bias): output (in/groups·Πkernel / Πstride)^-½, x (out/groups·Πkernel)^-½ (tied by the
/// constraint), weight (batch·ΠL_in)^-½, bias (batch·ΠL_out)^-½. weight (in, out/groups, kernel…).
Scales conv_transpose_scales(const Shape& x, const Shape& weight, const ConvTransposeParameters& parameters,
                             Constraint constraint);
/// Shapes and errors as evenkeel::conv_transpose().
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      const ConvTransposeParameters& parameters = {},
                      Constraint constraint = Constraint::to_output_scale);

}  // namespace evenkeel::unit_scaled
