#include <evenkeel/nn/separable_conv.h>

namespace evenkeel::nn {

namespace {

ConvOptions checked(const std::string& layer, int rank, const ConvOptions& options) {
  check_conv(layer, rank, options);
  return options;
}

}  // namespace

template <int D>
DepthWiseConv<D>::DepthWiseConv(const DepthWiseConvOptions& options, Rng& rng)
    : conv_(add("conv", Conv<D>(checked(type_name(), D,
                                        {.in_channels = options.in_channels,
                                         .out_channels = options.out_channels,
                                         .kernel_size = options.kernel_size,
                                         .padding = options.padding,
                                         .groups = options.in_channels,
                                         .dtype = options.dtype}),
                                rng))) {}

template <int D>
PointwiseConv<D>::PointwiseConv(const PointwiseConvOptions& options, Rng& rng)
    : conv_(add("conv", Conv<D>(checked(type_name(), D,
                                        {.in_channels = options.in_channels,
                                         .out_channels = options.out_channels,
                                         .kernel_size = options.kernel_size,
                                         .stride = options.stride,
                                         .padding = options.padding,
                                         .bias = options.bias,
                                         .dtype = options.dtype}),
                                rng))) {}

template class DepthWiseConv<1>;
template class DepthWiseConv<2>;
template class DepthWiseConv<3>;
template class PointwiseConv<1>;
template class PointwiseConv<2>;
template class PointwiseConv<3>;

}  // namespace evenkeel::nn
