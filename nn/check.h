#pragma once

#include <evenkeel/core/dtype.h>

#include <string>

namespace evenkeel::nn {

/// ConfigError in the name of `layer` unless dtype is f32 or f64.
void check_floating(const std::string& layer, DType dtype);

}  // namespace evenkeel::nn
