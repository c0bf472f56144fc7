#include <evenkeel/core/error.h>
#include <evenkeel/nn/functional.h>

#include <fmt/format.h>

namespace evenkeel::nn::functional {

namespace {

void check_ranks(const std::string& op, int rank, const Tensor& x, const Tensor& weight) {
  if (weight.rank() != rank + 2 || (x.rank() != rank + 2 && x.rank() != rank + 1))
    throw ShapeError(fmt::format("[{}] expected x and weight with {} spatial axes, got x {} and weight {}",
                                 op, rank, x.shape().str(), weight.shape().str()));
}

Tensor convolve(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias, const Axes& stride,
                const ConvPadding& padding, const Axes& dilation, std::int64_t groups) {
  const std::string op = fmt::format("conv{}d", rank);
  check_ranks(op, rank, x, weight);
  const ConvOptions options{.in_channels = weight.dim(1) * groups,
                            .out_channels = weight.dim(0),
                            .kernel_size = Axes(std::span<const std::int64_t>(weight.shape()).subspan(2)),
                            .stride = stride,
                            .padding = padding,
                            .dilation = dilation,
                            .groups = groups,
                            .dtype = weight.dtype()};
  check_conv(op, rank, options);
  return apply_conv(rank, options, x, weight, bias);
}

Tensor transpose(int rank, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const ConvTransposeParameters& parameters) {
  check_ranks(fmt::format("conv_transpose{}d", rank), rank, x, weight);
  return conv_transpose(x, weight, bias, parameters);
}

}  // namespace

#define EVENKEEL_DEFINE(D)                                                                                   \
  Tensor conv##D##d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Axes& stride,           \
                    const ConvPadding& padding, const Axes& dilation, std::int64_t groups) {                 \
    return convolve(D, x, weight, bias, stride, padding, dilation, groups);                                  \
  }                                                                                                          \
  Tensor conv_transpose##D##d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Axes& stride, \
                              const Axes& padding, const Axes& output_padding, std::int64_t groups,          \
                              const Axes& dilation) {                                                        \
    return transpose(D, x, weight, bias, {stride, padding, output_padding, dilation, groups});               \
  }
EVENKEEL_DEFINE(1)
EVENKEEL_DEFINE(2)
EVENKEEL_DEFINE(3)
#undef EVENKEEL_DEFINE

}  // namespace evenkeel::nn::functional
