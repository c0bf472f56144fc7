#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/unit_scaled/conv.h>
#include <evenkeel/nn/unit_scaled/functional_conv.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled::detail {

ConvOptions plain(const ConvReadoutOptions& o) {
  return {o.in_channels, o.out_channels, o.kernel_size,  o.stride,     o.padding,         o.dilation,
          o.groups,      o.bias,         o.padding_mode, o.constraint, o.weight_mup_type, o.dtype};
}

ConvOptions plain(const DepthWiseConvOptions& o) {
  return {.in_channels = o.in_channels,
          .out_channels = o.out_channels,
          .kernel_size = o.kernel_size,
          .stride = o.stride,
          .padding = o.padding,
          .dilation = o.dilation,
          .groups = o.in_channels,
          .bias = o.bias,
          .padding_mode = o.padding_mode,
          .constraint = o.constraint,
          .dtype = o.dtype};
}

Conv::Conv(int rank, const ConvOptions& options, Rng& rng, bool is_readout)
    : rank_(rank), is_readout_(is_readout), options_(options) {
  const auto& o = options_;
  const std::string who = fmt::format("unit_scaled.Conv{}d", rank);
  const nn::ConvOptions plain{.in_channels = o.in_channels,
                              .out_channels = o.out_channels,
                              .kernel_size = o.kernel_size,
                              .stride = o.stride,
                              .padding = o.padding,
                              .dilation = o.dilation,
                              .groups = o.groups,
                              .dtype = o.dtype};
  nn::check_conv(who, rank, plain);
  const auto [front, back] = nn::padding_sides(rank, plain);
  parameters_ = {
      .stride = o.stride, .padding = front, .padding_end = back, .dilation = o.dilation, .groups = o.groups};
  const Shape shape = nn::conv_weight_shape(rank, plain);
  weight_ = add_parameter("weight", Tensor::randn(shape, rng, o.dtype), o.weight_mup_type);
  weight_.set_constraint(evenkeel::unit_scaled::name(o.constraint));
  if (!o.bias) return;
  bias_ = add_parameter("bias", Tensor::zeros({o.out_channels}, o.dtype), MupType::bias);
  bias_.set_constraint(evenkeel::unit_scaled::name(o.constraint));
}

Tensor Conv::forward(const Tensor& x) {
  const auto function = is_readout_ ? conv_readout : conv;
  return function(x, weight_, bias_, parameters_, options_.constraint, options_.padding_mode);
}

std::string Conv::extra_repr() const {
  const auto& o = options_;
  std::string text = fmt::format("{}, {}, kernel_size={}, stride={}", o.in_channels, o.out_channels,
                                 o.kernel_size.str(), o.stride.str());
  if (o.padding.str() != "0") text += ", padding=" + o.padding.str();
  if (!(o.dilation == Axes(1))) text += ", dilation=" + o.dilation.str();
  if (o.groups != 1) text += fmt::format(", groups={}", o.groups);
  if (o.padding_mode != PadMode::zeros)
    text += fmt::format(", padding_mode={}", evenkeel::name(o.padding_mode));
  return text + fmt::format(", bias={}, constraint={}", o.bias, evenkeel::unit_scaled::name(o.constraint));
}

}  // namespace evenkeel::unit_scaled::detail
