#include <evenkeel/core/error.h>
#include <evenkeel/nn/check.h>
#include <evenkeel/nn/conv.h>

#include <fmt/format.h>

#include <cmath>

namespace evenkeel::nn {

ConvPadding::ConvPadding(const std::string& text) : is_same_(text == "same") {
  if (!is_same_ && text != "valid")
    throw ConfigError("[conv] expected padding as numbers, \"valid\" or \"same\", got \"" + text + "\"");
}

PaddingSides padding_sides(int rank, const ConvOptions& options) {
  if (!options.padding.is_same()) return {options.padding.axes(), options.padding.axes()};
  std::vector<std::int64_t> front, back;
  for (int axis = 0; axis < rank; ++axis) {
    const std::int64_t total = options.dilation[axis] * (options.kernel_size[axis] - 1);
    front.push_back(total / 2);
    back.push_back(total - total / 2);
  }
  return {Axes(std::span<const std::int64_t>(front)), Axes(std::span<const std::int64_t>(back))};
}

void check_conv_channels(const std::string& layer, std::int64_t in_channels, std::int64_t out_channels,
                         std::int64_t groups) {
  if (in_channels < 1 || out_channels < 1 || groups < 1)
    throw ConfigError(
        fmt::format("[{}] expected in_channels, out_channels and groups of at least 1, got {}, {} and {}",
                    layer, in_channels, out_channels, groups));
  const auto check = [&](const char* what, std::int64_t channels) {
    if (channels % groups == 0) return;
    const std::int64_t below = channels / groups * groups, above = below + groups;
    throw ConfigError(fmt::format("[{}] expected {} divisible by groups {}, got {}; {} would do", layer, what,
                                  groups, channels,
                                  below > 0 ? fmt::format("{} or {}", below, above) : std::to_string(above)));
  };
  check("in_channels", in_channels);
  check("out_channels", out_channels);
}

void check_conv(const std::string& layer, int rank, const ConvOptions& options) {
  check_conv_channels(layer, options.in_channels, options.out_channels, options.groups);
  options.kernel_size.over(rank, layer, "kernel_size", 1);
  options.stride.over(rank, layer, "stride", 1);
  options.padding.axes().over(rank, layer, "padding", 0);
  options.dilation.over(rank, layer, "dilation", 1);
  for (int axis = 0; axis < rank && options.padding.is_same(); ++axis)
    if (options.stride[axis] != 1)
      throw ConfigError(fmt::format("[{}] expected stride 1 with padding \"same\", got stride {}", layer,
                                    options.stride.str()));
  if (options.conv_mode != ConvMode::cross_correlation)
    throw ConfigError(
        fmt::format("[{}] expected conv_mode cross_correlation, got convolution; a convolution is a "
                    "cross-correlation with the weight flipped",
                    layer));
  check_floating(layer, options.dtype);
  if (options.compute_mode == ComputeMode::float32 && options.dtype != DType::f32)
    throw ConfigError(
        fmt::format("[{}] expected compute_mode default_ with dtype {}, which is summed in its "
                    "own precision, got float32",
                    layer, evenkeel::name(options.dtype)));
}

Shape conv_weight_shape(int rank, const ConvOptions& options) {
  Shape shape{options.out_channels, options.in_channels / options.groups};
  for (int axis = 0; axis < rank; ++axis) shape = shape.append(options.kernel_size[axis]);
  return shape;
}

Tensor apply_conv(int rank, const ConvOptions& options, const Tensor& x, const Tensor& weight,
                  const Tensor& bias) {
  const auto [front, back] = padding_sides(rank, options);
  ConvParameters parameters{.stride = options.stride, .dilation = options.dilation, .groups = options.groups};
  if (options.padding_mode == PadMode::zeros) {
    parameters.padding = front;
    parameters.padding_end = back;
    return conv(x, weight, bias, parameters);
  }
  std::vector<std::int64_t> amounts;
  for (int axis = rank - 1; axis >= 0; --axis) {
    amounts.push_back(front[axis]);
    amounts.push_back(back[axis]);
  }
  return conv(pad(x, amounts, options.padding_mode), weight, bias, parameters);
}

template <int D>
Conv<D>::Conv(const ConvOptions& options, Rng& rng) : options_(options) {
  check_conv(type_name(), D, options_);
  const Shape shape = conv_weight_shape(D, options_);
  const double bound = 1 / std::sqrt(static_cast<double>(shape.without(0).numel()));
  weight_ = add_parameter("weight", Tensor::uniform(shape, -bound, bound, rng, options_.dtype));
  if (options_.bias)
    bias_ =
        add_parameter("bias", Tensor::uniform({options_.out_channels}, -bound, bound, rng, options_.dtype));
}

template <int D>
Tensor Conv<D>::forward(const Tensor& x) {
  if (x.rank() != D + 2 && x.rank() != D + 1)
    throw ShapeError(fmt::format("[{}] expected x (N, {}, L…) or ({}, L…) with {} spatial axes, got {}",
                                 type_name(), options_.in_channels, options_.in_channels, D,
                                 x.shape().str()));
  return apply_conv(D, options_, x, weight_, bias_);
}

template <int D>
std::string Conv<D>::extra_repr() const {
  const ConvOptions& o = options_;
  std::string text = fmt::format("{}, {}, kernel_size={}, stride={}", o.in_channels, o.out_channels,
                                 o.kernel_size.str(), o.stride.str());
  if (o.padding.str() != "0") text += ", padding=" + o.padding.str();
  if (o.dilation != Axes(1)) text += ", dilation=" + o.dilation.str();
  if (o.groups != 1) text += fmt::format(", groups={}", o.groups);
  if (!o.bias) text += ", bias=false";
  if (o.padding_mode != PadMode::zeros)
    text += fmt::format(", padding_mode={}", evenkeel::name(o.padding_mode));
  if (o.compute_mode != ComputeMode::default_) text += ", compute_mode=float32";
  return text;
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;

}  // namespace evenkeel::nn
