#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/depth.h>

namespace evenkeel::unit_scaled {

nn::Module& DepthSequential::append(std::unique_ptr<nn::Module> module) {
  for (const auto& [name, parameter] : module->named_parameters())
    if (!parameter.mup_type())
      throw ConfigError("[" + type_name() + "] expected parameters with a μP type, got \"" + name +
                        "\" without: is it a plain layer's?");
  const auto before = static_cast<std::int64_t>(children().size()), now = before + 1;
  for (const auto& [name, parameter] : named_parameters())
    nn::Parameter(parameter).set_mup_scaling_depth(*parameter.mup_scaling_depth() / before * now);
  for (const auto& [name, parameter] : module->named_parameters())
    nn::Parameter(parameter).set_mup_scaling_depth(parameter.mup_scaling_depth().value_or(1) * now);
  return add_child(std::to_string(before), std::move(module));
}

Tensor DepthSequential::forward(const Tensor& x) {
  Tensor out = x;
  for (const auto& [name, module] : children()) out = (*module)(out);
  return out;
}

}  // namespace evenkeel::unit_scaled
