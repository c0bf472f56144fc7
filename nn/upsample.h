#pragma once

#include <evenkeel/core/ops/upsample.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

/// size or scale_factor, mode, align_corners; see interpolate().
using UpsampleOptions = InterpolateParameters;

/// interpolate() of x (N, C, L…); the number of spatial axes follows from x.
class Upsample : public Module {
 public:
  /// ConfigError for options that fit no input.
  explicit Upsample(const UpsampleOptions& options);
  Tensor forward(const Tensor& x) override { return interpolate(x, options_); }
  std::string extra_repr() const override;
  const UpsampleOptions& options() const { return options_; }

 private:
  UpsampleOptions options_;
};

}  // namespace evenkeel::nn
