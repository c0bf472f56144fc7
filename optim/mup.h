#pragma once

#include <evenkeel/optim/optimizer.h>

#include <string>

namespace evenkeel::optim {

// Learning rates of u-μP (arXiv 2407.17465) for nets of unit-scaled layers. fan_in: the size of a parameter
// of one axis, else the product of all axes but the first (a transposed convolution brings its own); depth:
// the length of the DepthSequential that a parameter is in, else 1. A depthwise weight's fan_in is its
// kernel.

/// weight fan_in^-½, others 1; times depth^-½. ConfigError for a parameter without μP type.
double lr_scale_adam(const nn::NamedParameter& parameter);
/// SGD where the readout ties output and input gradient (to_output_scale): weight fan_in^½, bias and norm
/// their number, output 1; times depth^-½.
double lr_scale_sgd_constrained(const nn::NamedParameter& parameter);

struct MupOptions {
  /// Constraint of the net's readout, on which SGD's rule depends: none, or to_output_scale. Not set: that of
  /// the parameters of type output, none if there are no such.
  std::optional<std::string> readout_constraint = {};
  /// A step shrinks by weight_decay, not by rate · weight_decay; schedules multiply it all the same.
  bool independent_weight_decay = true;
  /// Parameters without μP type get the factor 1 instead of a ConfigError.
  bool allow_non_unit_scaling_params = false;
};

/// The parameters, with u-μP's rule for the optimiser that takes them:
/// AdamW adam(mup(net.named_parameters()), {.lr = 1});
ParamGroup mup(std::vector<nn::NamedParameter> parameters, const MupOptions& options = {});
ParamGroup mup(const std::vector<nn::Parameter>& parameters, const MupOptions& options = {});

/// The parameters with a rule of your own, for any optimiser.
ParamGroup scaled_parameters(std::vector<nn::NamedParameter> parameters,
                             std::function<double(const nn::NamedParameter&)> lr_scale,
                             const MupOptions& options = {});

}  // namespace evenkeel::optim
