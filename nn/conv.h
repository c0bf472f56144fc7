#pragma once

#include <evenkeel/core/ops/conv.h>
#include <evenkeel/core/ops/pad.h>
#include <evenkeel/nn/module.h>

#include <concepts>
#include <string>
#include <vector>

namespace evenkeel::nn {

/// Padding of a convolution: one number, one per axis, "valid" (none) or "same" (the output is as long as the
/// input; an odd cell goes behind).
class ConvPadding {
 public:
  template <class Number>
  requires std::is_arithmetic_v<Number> ConvPadding(Number all) : axes_(all) {}
  ConvPadding(std::initializer_list<std::int64_t> each) : axes_(each) {}
  ConvPadding(const Axes& axes) : axes_(axes) {}
  /// ConfigError for any other text.
  ConvPadding(const std::string& text);
  template <std::size_t N>
  ConvPadding(const char (&text)[N]) : ConvPadding(std::string(text)) {}

  bool is_same() const { return is_same_; }
  /// The numbers; 0 for "valid" and "same".
  const Axes& axes() const { return axes_; }
  std::string str() const { return is_same_ ? "same" : axes_.str(); }

 private:
  Axes axes_ = 0;
  bool is_same_ = false;
};

/// How the kernel meets the input; a layer computes the cross-correlation only.
enum class ConvMode : std::uint8_t { cross_correlation, convolution };
/// Type of the sums: the layer's own, or f32, as MegEngine asks it of 16-bit layers. An f32 layer's are f32
/// in either mode; an f64 layer, which would lose by it, takes default_ only.
enum class ComputeMode : std::uint8_t { default_, float32 };

struct ConvOptions {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  Axes kernel_size = Axes();
  Axes stride = 1;
  ConvPadding padding = 0;
  Axes dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  PadMode padding_mode = PadMode::zeros;
  ConvMode conv_mode = ConvMode::cross_correlation;
  ComputeMode compute_mode = ComputeMode::default_;
  DType dtype = DType::f32;
};

/// Cross-correlation over D spatial axes. x (N, in_channels, L…) or unbatched (in_channels, L…) -> (N,
/// out_channels, L_out…), L_out = ⌊(L + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1; a
/// padding_mode other than zeros pads first. weight (out_channels, in_channels / groups, kernel_size…) and
/// bias (out_channels) start as U(-√k, √k), k = groups / (in_channels·Πkernel_size). Calls throw ShapeError
/// for an input that does not fit.
template <int D>
class Conv : public Module {
 public:
  /// ConfigError for options that make no layer; the text says what would be right.
  Conv(const ConvOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "Conv" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

  const ConvOptions& options() const { return options_; }
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 private:
  ConvOptions options_;
  Parameter weight_, bias_;
};

using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

// For layers that compute a convolution with other parameters or factors.

/// ConfigError in the name of `layer` unless both numbers of channels are multiples of `groups`.
void check_conv_channels(const std::string& layer, std::int64_t in_channels, std::int64_t out_channels,
                         std::int64_t groups);
/// ConfigError in the name of `layer` unless the options make a convolution over `rank` axes.
void check_conv(const std::string& layer, int rank, const ConvOptions& options);
/// Shape of the weight of checked options: (out_channels, in_channels / groups, kernel_size…).
Shape conv_weight_shape(int rank, const ConvOptions& options);
/// Cells of padding in front of and behind each axis.
struct PaddingSides {
  Axes front, back;
};
/// Those of checked options.
PaddingSides padding_sides(int rank, const ConvOptions& options);
/// What a layer with checked options computes, padding and its mode included.
Tensor apply_conv(int rank, const ConvOptions& options, const Tensor& x, const Tensor& weight,
                  const Tensor& bias);

}  // namespace evenkeel::nn
