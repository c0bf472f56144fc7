#include <evenkeel/core/error.h>
#include <evenkeel/nn/check.h>

namespace evenkeel::nn {

void check_floating(const std::string& layer, DType dtype) {
  if (!is_floating(dtype))
    throw ConfigError("[" + layer + "] expected dtype f32 or f64, got " + evenkeel::name(dtype));
}

}  // namespace evenkeel::nn
