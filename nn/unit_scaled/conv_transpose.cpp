#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/unit_scaled/conv_transpose.h>
#include <evenkeel/nn/unit_scaled/functional_conv.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled::detail {

ConvTranspose::ConvTranspose(int rank, const ConvTransposeOptions& options, Rng& rng) : options_(options) {
  const auto& o = options_;
  const std::string who = fmt::format("unit_scaled.ConvTranspose{}d", rank);
  const nn::ConvTransposeOptions plain{.in_channels = o.in_channels,
                                       .out_channels = o.out_channels,
                                       .kernel_size = o.kernel_size,
                                       .stride = o.stride,
                                       .padding = o.padding,
                                       .output_padding = o.output_padding,
                                       .groups = o.groups,
                                       .dilation = o.dilation,
                                       .dtype = o.dtype};
  nn::check_conv_transpose(who, rank, plain);
  const Shape shape = nn::conv_transpose_weight_shape(rank, plain);
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
