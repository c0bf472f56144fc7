#include <evenkeel/core/error.h>
#include <evenkeel/optim/mup.h>

#include <cmath>

namespace evenkeel::optim {

namespace {

double depth_factor(const nn::Parameter& parameter) {
  return 1 / std::sqrt(static_cast<double>(parameter.mup_scaling_depth().value_or(1)));
}

double fan_in(const nn::Parameter& parameter) {
  if (parameter.mup_fan_in()) return *parameter.mup_fan_in();
  const Shape& shape = parameter.tensor().shape();
  return static_cast<double>(shape.rank() == 1 ? shape[0] : shape.slice(1, shape.rank()).numel());
}

MupType type_of(const nn::NamedParameter& named) {
  if (const auto type = named.parameter.mup_type()) return *type;
  throw ConfigError("[mup] expected parameters with a μP type, got \"" + named.name + "\" " +
                    named.parameter.tensor().shape().str() +
                    " without: make it by a unit-scaled layer, or set allow_non_unit_scaling_params");
}

std::string readout_constraint(const std::vector<nn::NamedParameter>& parameters) {
  std::string found = "none";
  for (const auto& [name, parameter] : parameters)
    if (parameter.mup_type() == MupType::output && !parameter.constraint().empty())
      found = parameter.constraint();
  return found;
}

double lr_scale_sgd(const nn::NamedParameter& parameter, const std::string& readout) {
  if (readout == "none") return lr_scale_adam(parameter);
  if (readout == "to_output_scale") return lr_scale_sgd_constrained(parameter);
  throw ConfigError("[mup] expected the readout constraint none or to_output_scale for SGD, got \"" +
                    readout + "\"");
}

}  // namespace

double lr_scale_adam(const nn::NamedParameter& named) {
  const double depth = depth_factor(named.parameter);
  return type_of(named) == MupType::weight ? depth / std::sqrt(fan_in(named.parameter)) : depth;
}

double lr_scale_sgd_constrained(const nn::NamedParameter& named) {
  const double depth = depth_factor(named.parameter);
  switch (type_of(named)) {
    case MupType::weight:
      return depth * std::sqrt(fan_in(named.parameter));
    case MupType::bias:
    case MupType::norm:
      return depth * static_cast<double>(named.parameter.tensor().dim(0));
    case MupType::output:
      break;
  }
  return depth;
}

ParamGroup scaled_parameters(std::vector<nn::NamedParameter> parameters,
                             std::function<double(const nn::NamedParameter&)> lr_scale,
                             const MupOptions& options) {
  ParamGroup group{.parameters = std::move(parameters)};
  group.lr_scale = [lr_scale = std::move(lr_scale), allow = options.allow_non_unit_scaling_params](
                       const nn::NamedParameter& parameter, StepRule) {
    return allow && !parameter.parameter.mup_type() ? 1.0 : lr_scale(parameter);
  };
  group.independent_weight_decay = options.independent_weight_decay;
  return group;
}

ParamGroup mup(std::vector<nn::NamedParameter> parameters, const MupOptions& options) {
  ParamGroup group = scaled_parameters(std::move(parameters), lr_scale_adam, options);
  const std::string readout = options.readout_constraint.value_or(readout_constraint(group.parameters));
  group.lr_scale = [adam = group.lr_scale, readout, allow = options.allow_non_unit_scaling_params](
                       const nn::NamedParameter& parameter, StepRule rule) {
    if (rule == StepRule::adam || (allow && !parameter.parameter.mup_type())) return adam(parameter, rule);
    return lr_scale_sgd(parameter, readout);
  };
  return group;
}

ParamGroup mup(const std::vector<nn::Parameter>& parameters, const MupOptions& options) {
  return mup(ParamGroups(parameters)[0].parameters, options);
}

}  // namespace evenkeel::optim
