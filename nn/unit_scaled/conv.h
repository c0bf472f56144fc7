#pragma once

#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

struct ConvOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes kernel_size;
  Axes stride = 1;
  nn::ConvPadding padding = 0;
  Axes dilation = 1;
  std::int64_t groups = 1;
  bool bias = false;
  PadMode padding_mode = PadMode::zeros;
  Constraint constraint = Constraint::to_output_scale;
  MupType weight_mup_type = MupType::weight;
  DType dtype = DType::f32;
};

struct ConvReadoutOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes kernel_size;
  Axes stride = 1;
  nn::ConvPadding padding = 0;
  Axes dilation = 1;
  std::int64_t groups = 1;
  bool bias = false;
  PadMode padding_mode = PadMode::zeros;
  Constraint constraint = Constraint::none;
  MupType weight_mup_type = MupType::output;
  DType dtype = DType::f32;
};

struct DepthWiseConvOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;  ///< a multiple of in_channels
  Axes kernel_size;
  Axes stride = 1;
  nn::ConvPadding padding = 0;
  Axes dilation = 1;
  bool bias = false;
  PadMode padding_mode = PadMode::zeros;
  Constraint constraint = Constraint::to_output_scale;
  DType dtype = DType::f32;
};

namespace detail {

/// unit_scaled::conv() over `rank` axes with weight (out_channels, in_channels / groups, kernel…) from N(0,
/// 1) and bias 0. As a readout: conv_readout().
class Conv : public nn::Module {
 public:
  /// ConfigError for options that make no layer.
  Conv(int rank, const ConvOptions& options, Rng& rng, bool is_readout = false);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const ConvOptions& options() const { return options_; }
  const nn::Parameter& weight() const { return weight_; }
  const nn::Parameter& bias() const { return bias_; }

 private:
  int rank_;
  bool is_readout_;
  ConvOptions options_;
  ConvParameters parameters_;
  nn::Parameter weight_, bias_;
};

ConvOptions plain(const ConvReadoutOptions& options);
ConvOptions plain(const DepthWiseConvOptions& options);

}  // namespace detail

struct Conv1d : detail::Conv {
  Conv1d(const ConvOptions& options, Rng& rng) : Conv(1, options, rng) {}
};
struct Conv2d : detail::Conv {
  Conv2d(const ConvOptions& options, Rng& rng) : Conv(2, options, rng) {}
};
struct Conv3d : detail::Conv {
  Conv3d(const ConvOptions& options, Rng& rng) : Conv(3, options, rng) {}
};

/// The last layer of a net that gives a value for each cell: its output shrinks as 1 / fan_in.
struct ConvReadout1d : detail::Conv {
  ConvReadout1d(const ConvReadoutOptions& options, Rng& rng) : Conv(1, detail::plain(options), rng, true) {}
};
struct ConvReadout2d : detail::Conv {
  ConvReadout2d(const ConvReadoutOptions& options, Rng& rng) : Conv(2, detail::plain(options), rng, true) {}
};
struct ConvReadout3d : detail::Conv {
  ConvReadout3d(const ConvReadoutOptions& options, Rng& rng) : Conv(3, detail::plain(options), rng, true) {}
};

/// A kernel of its own for each channel: groups = in_channels. Its fan-in is the kernel alone, so its μP rate
/// does not shrink with width.
struct DepthWiseConv1d : detail::Conv {
  DepthWiseConv1d(const DepthWiseConvOptions& options, Rng& rng) : Conv(1, detail::plain(options), rng) {}
};
struct DepthWiseConv2d : detail::Conv {
  DepthWiseConv2d(const DepthWiseConvOptions& options, Rng& rng) : Conv(2, detail::plain(options), rng) {}
};
struct DepthWiseConv3d : detail::Conv {
  DepthWiseConv3d(const DepthWiseConvOptions& options, Rng& rng) : Conv(3, detail::plain(options), rng) {}
};

}  // namespace evenkeel::unit_scaled
