#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

struct ConvTransposeOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes kernel_size = Axes();
  Axes stride = 1;
  Axes padding = 0;
  Axes output_padding = 0;  ///< cells added behind each axis; below stride or dilation
  std::int64_t groups = 1;
  bool bias = true;
  Axes dilation = 1;
  DType dtype = DType::f32;
};

/// The adjoint of a convolution over D spatial axes. x (N, in_channels, L…) or unbatched -> (N, out_channels,
/// L_out…), L_out = (L - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1. weight
/// (in_channels, out_channels / groups, kernel_size…) and bias (out_channels) start as U(-√k, √k), k = groups
/// / (out_channels·Πkernel_size), as in PyTorch.
template <int D>
class ConvTranspose : public Module {
 public:
  /// ConfigError for options that make no layer; the text says what would be right.
  ConvTranspose(const ConvTransposeOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "ConvTranspose" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

  const ConvTransposeOptions& options() const { return options_; }
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 private:
  ConvTransposeOptions options_;
  Parameter weight_, bias_;
};

using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

/// ConfigError in the name of `layer` unless the options make a transposed convolution over `rank` axes.
void check_conv_transpose(const std::string& layer, int rank, const ConvTransposeOptions& options);
/// Shape of the weight of checked options: (in_channels, out_channels / groups, kernel_size…).
Shape conv_transpose_weight_shape(int rank, const ConvTransposeOptions& options);

}  // namespace evenkeel::nn
