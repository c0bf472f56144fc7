#pragma once

#include <evenkeel/nn/module.h>

#include <string>

namespace evenkeel::test {

/// A module that is nothing but parameters.
struct ParameterBag : nn::Module {
  nn::Parameter put(const std::string& name, const Tensor& value, std::optional<MupType> type = {},
                    std::optional<std::int64_t> depth = {}) {
    nn::Parameter parameter = add_parameter(name, value.clone(), type);
    parameter.set_mup_scaling_depth(depth);
    return parameter;
  }
};

}  // namespace evenkeel::test
