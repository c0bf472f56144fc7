#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/conv_transpose.h>
#include <evenkeel/nn/unit_scaled/functional_conv.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled::detail {

ConvTranspose::ConvTranspose(int rank, const ConvTransposeOptions& options, Rng& rng) : options_(options) {
  const auto& o = options_;
  const std::string who = fmt::format("unit_scaled.ConvTranspose{}d", rank);
  if (o.in_channels < 1 || o.out_channels < 1 || o.groups < 1 || o.in_channels % o.groups != 0 ||
      o.out_channels % o.groups != 0)
    throw ConfigError(
        fmt::format("[{}] expected channels of at least 1 that groups divides, got {} to {} with {}", who,
                    o.in_channels, o.out_channels, o.groups));
  const auto kernel = o.kernel_size.over(rank, who, "kernel_size", std::int64_t{1});
  o.stride.over(rank, who, "stride", std::int64_t{1});
  o.padding.over(rank, who, "padding", std::int64_t{0});
  o.output_padding.over(rank, who, "output_padding", std::int64_t{0});
  o.dilation.over(rank, who, "dilation", std::int64_t{1});
  Shape shape{o.in_channels, o.out_channels / o.groups};
  for (int axis = 0; axis < rank; ++axis) shape = shape.append(kernel[static_cast<std::size_t>(axis)]);
  weight_ = add_parameter("weight", Tensor::randn(shape, rng, o.dtype), o.weight_mup_type);
  weight_.set_constraint(evenkeel::unit_scaled::name(o.constraint));
  weight_.set_mup_fan_in(conv_transpose_fan_in(shape, settings()));
  if (!o.bias) return;
  bias_ = add_parameter("bias", Tensor::zeros({o.out_channels}, o.dtype), MupType::bias);
  bias_.set_constraint(evenkeel::unit_scaled::name(o.constraint));
}

ConvTransposeParameters ConvTranspose::settings() const {
  return {.stride = options_.stride,
          .padding = options_.padding,
          .output_padding = options_.output_padding,
          .dilation = options_.dilation,
          .groups = options_.groups};
}

Tensor ConvTranspose::forward(const Tensor& x) {
  return conv_transpose(x, weight_, bias_, settings(), options_.constraint);
}

std::string ConvTranspose::extra_repr() const {
  const auto& o = options_;
  std::string text = fmt::format("{}, {}, kernel_size={}, stride={}", o.in_channels, o.out_channels,
                                 o.kernel_size.str(), o.stride.str());
  if (!(o.padding == Axes(0))) text += ", padding=" + o.padding.str();
  if (!(o.output_padding == Axes(0))) text += ", output_padding=" + o.output_padding.str();
  if (!(o.dilation == Axes(1))) text += ", dilation=" + o.dilation.str();
  if (o.groups != 1) text += fmt::format(", groups={}", o.groups);
  return text + fmt::format(", bias={}, constraint={}", o.bias, evenkeel::unit_scaled::name(o.constraint));
}

}  // namespace evenkeel::unit_scaled::detail
