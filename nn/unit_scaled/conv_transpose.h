#pragma once

#include <evenkeel/core/ops/conv.h>
#include <evenkeel/nn/module.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

struct ConvTransposeOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes kernel_size;
  Axes stride = 1;
  Axes padding = 0;
  Axes output_padding = 0;
  std::int64_t groups = 1;
  bool bias = false;
  Axes dilation = 1;
  Constraint constraint = Constraint::to_output_scale;
  MupType weight_mup_type = MupType::weight;
  DType dtype = DType::f32;
};

namespace detail {

/// unit_scaled::conv_transpose() over `rank` axes with weight (in_channels, out_channels / groups, kernel…)
/// from N(0, 1) and bias 0.
class ConvTranspose : public nn::Module {
 public:
  /// ConfigError for sizes below 1 or channels that groups does not divide.
  ConvTranspose(int rank, const ConvTransposeOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const ConvTransposeOptions& options() const { return options_; }
  const nn::Parameter& weight() const { return weight_; }
  const nn::Parameter& bias() const { return bias_; }

 private:
  ConvTransposeParameters settings() const;

  ConvTransposeOptions options_;
  nn::Parameter weight_, bias_;
};

}  // namespace detail

struct ConvTranspose1d : detail::ConvTranspose {
  ConvTranspose1d(const ConvTransposeOptions& options, Rng& rng) : ConvTranspose(1, options, rng) {}
};
struct ConvTranspose2d : detail::ConvTranspose {
  ConvTranspose2d(const ConvTransposeOptions& options, Rng& rng) : ConvTranspose(2, options, rng) {}
};
struct ConvTranspose3d : detail::ConvTranspose {
  ConvTranspose3d(const ConvTransposeOptions& options, Rng& rng) : ConvTranspose(3, options, rng) {}
};

}  // namespace evenkeel::unit_scaled
