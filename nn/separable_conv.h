#pragma once

#include <evenkeel/nn/conv.h>

namespace evenkeel::nn {

struct DepthWiseConvOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;  ///< a multiple of in_channels
  Axes kernel_size = Axes();
  ConvPadding padding = 0;
  DType dtype = DType::f32;
};

/// A convolution of each channel by itself: Conv with groups = in_channels, stride 1 and a bias, as the child
/// `conv`.
template <int D>
class DepthWiseConv : public Module {
 public:
  /// ConfigError for options that make no layer; the text says what would be right.
  DepthWiseConv(const DepthWiseConvOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override { return conv_(x); }
  std::string type_name() const override { return "DepthWiseConv" + std::to_string(D) + "d"; }
  const Conv<D>& conv() const { return conv_; }

 private:
  Conv<D>& conv_;
};

struct PointwiseConvOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes stride = 1;
  ConvPadding padding = 0;
  bool bias = true;
  Axes kernel_size = 1;
  DType dtype = DType::f32;
};

/// A convolution across channels, of kernel size 1 unless told otherwise: Conv as the child `conv`.
template <int D>
class PointwiseConv : public Module {
 public:
  /// ConfigError for options that make no layer; the text says what would be right.
  PointwiseConv(const PointwiseConvOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override { return conv_(x); }
  std::string type_name() const override { return "PointwiseConv" + std::to_string(D) + "d"; }
  const Conv<D>& conv() const { return conv_; }

 private:
  Conv<D>& conv_;
};

using DepthWiseConv1d = DepthWiseConv<1>;
using DepthWiseConv2d = DepthWiseConv<2>;
using DepthWiseConv3d = DepthWiseConv<3>;
using PointwiseConv1d = PointwiseConv<1>;
using PointwiseConv2d = PointwiseConv<2>;
using PointwiseConv3d = PointwiseConv<3>;

}  // namespace evenkeel::nn
