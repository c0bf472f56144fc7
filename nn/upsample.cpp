#include <evenkeel/nn/upsample.h>

#include <algorithm>

namespace evenkeel::nn {

Upsample::Upsample(const UpsampleOptions& options) : options_(options) {
  const int rank = options.mode != InterpolationMode::nearest
                       ? static_cast<int>(options.mode)
                       : std::max({1, options.size.count(), options.scale_factor.count()});
  check_interpolation("Upsample", rank, options_);
}

std::string Upsample::extra_repr() const {
  std::string text =
      options_.size.is_set() ? "size=" + options_.size.str() : "scale_factor=" + options_.scale_factor.str();
  text += std::string(", mode=") + evenkeel::name(options_.mode);
  return options_.align_corners ? text + ", align_corners=true" : text;
}

}  // namespace evenkeel::nn
