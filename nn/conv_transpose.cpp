#include <evenkeel/core/error.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/conv_transpose.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::nn {

void check_conv_transpose(const std::string& layer, int rank, const ConvTransposeOptions& options) {
  check_conv(layer, rank,
             {.in_channels = options.in_channels,
              .out_channels = options.out_channels,
              .kernel_size = options.kernel_size,
              .stride = options.stride,
              .padding = options.padding,
              .dilation = options.dilation,
              .groups = options.groups,
              .dtype = options.dtype});
  options.output_padding.over(rank, layer, "output_padding", 0);
  for (int axis = 0; axis < rank; ++axis)
    if (options.output_padding[axis] >= std::max(options.stride[axis], options.dilation[axis]))
      throw ConfigError(fmt::format("[{}] expected output_padding below stride {} or dilation {}, got {}",
                                    layer, options.stride.str(), options.dilation.str(),
                                    options.output_padding.str()));
}

Shape conv_transpose_weight_shape(int rank, const ConvTransposeOptions& options) {
  Shape shape{options.in_channels, options.out_channels / options.groups};
  for (int axis = 0; axis < rank; ++axis) shape = shape.append(options.kernel_size[axis]);
  return shape;
}

template <int D>
ConvTranspose<D>::ConvTranspose(const ConvTransposeOptions& options, Rng& rng) : options_(options) {
  check_conv_transpose(type_name(), D, options_);
  const Shape shape = conv_transpose_weight_shape(D, options_);
  const double bound = 1 / std::sqrt(static_cast<double>(shape.without(0).numel()));
  weight_ = add_parameter("weight", Tensor::uniform(shape, -bound, bound, rng, options_.dtype));
  if (options_.bias)
    bias_ =
        add_parameter("bias", Tensor::uniform({options_.out_channels}, -bound, bound, rng, options_.dtype));
}

template <int D>
Tensor ConvTranspose<D>::forward(const Tensor& x) {
  if (x.rank() != D + 2 && x.rank() != D + 1)
    throw ShapeError(fmt::format("[{}] expected x (N, {}, L…) or ({}, L…) with {} spatial axes, got {}",
                                 type_name(), options_.in_channels, options_.in_channels, D,
                                 x.shape().str()));
  return conv_transpose(x, weight_, bias_,
                        {.stride = options_.stride,
                         .padding = options_.padding,
                         .output_padding = options_.output_padding,
                         .dilation = options_.dilation,
                         .groups = options_.groups});
}

template <int D>
std::string ConvTranspose<D>::extra_repr() const {
  const ConvTransposeOptions& o = options_;
  std::string text = fmt::format("{}, {}, kernel_size={}, stride={}", o.in_channels, o.out_channels,
                                 o.kernel_size.str(), o.stride.str());
  if (o.padding != Axes(0)) text += ", padding=" + o.padding.str();
  if (o.output_padding != Axes(0)) text += ", output_padding=" + o.output_padding.str();
  if (o.dilation != Axes(1)) text += ", dilation=" + o.dilation.str();
  if (o.groups != 1) text += fmt::format(", groups={}", o.groups);
  if (!o.bias) text += ", bias=false";
  return text;
}

template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

}  // namespace evenkeel::nn
