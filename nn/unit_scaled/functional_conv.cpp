#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/functional_conv.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::unit_scaled {

namespace {

/// Number of spatial axes; ShapeError unless x and weight have as many.
int spatial_rank(const char* op, const Shape& x, const Shape& weight) {
  const int rank = weight.rank() - 2;
  if (rank < 1 || rank > 3 || (x.rank() != rank + 2 && x.rank() != rank + 1))
    throw ShapeError(
        fmt::format("[{}] expected x (N, C, L…) or (C, L…) and a weight of one to three kernel axes, "
                    "as many as L has, got {} and {}",
                    op, x.str(), weight.str()));
  return rank;
}

double kernel_cells(const Shape& weight) {
  return static_cast<double>(weight.slice(2, weight.rank()).numel());
}

double product(const Axes& numbers, int rank) {
  double all = 1;
  for (int axis = 0; axis < rank; ++axis) all *= static_cast<double>(numbers[axis]);
  return all;
}

std::int64_t length(const Shape& x, int rank, int axis) { return x.dim(axis - rank); }

double batch(const Shape& x, int rank) { return x.rank() == rank + 2 ? static_cast<double>(x[0]) : 1.0; }

Scales conv_scales(const Shape& x, const Shape& weight, const ConvParameters& p, Constraint constraint,
                   double output_power) {
  const int rank = spatial_rank("unit_scaled.conv", x, weight);
  const Axes& end = p.padding_end.is_set() ? p.padding_end : p.padding;
  double positions = batch(x, rank);
  for (int axis = 0; axis < rank; ++axis) {
    const std::int64_t room =
        length(x, rank, axis) + p.padding[axis] + end[axis] - p.dilation[axis] * (weight[axis + 2] - 1) - 1;
    positions *= static_cast<double>(room / std::max<std::int64_t>(1, p.stride[axis]) + 1);
  }
  const double fan_in = static_cast<double>(weight[1]) * kernel_cells(weight);
  const double fan_out = static_cast<double>(weight[0]) * kernel_cells(weight) /
                         (product(p.stride, rank) * static_cast<double>(p.groups));
  const double of_parameters = detail::inverse_root(positions);
  return apply_constraint(
      constraint,
      {std::pow(fan_in, -output_power), {detail::inverse_root(fan_out), of_parameters, of_parameters}}, 1);
}

/// Pads where the mode is not zeros, and convolves with the padding that is left.
Tensor scaled_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvParameters parameters,
                   PadMode padding_mode, Constraint constraint, double output_power) {
  Tensor padded = x;
  if (padding_mode != PadMode::zeros) {
    const int rank = spatial_rank("unit_scaled.conv", x.shape(), weight.shape());
    const Axes& end = parameters.padding_end.is_set() ? parameters.padding_end : parameters.padding;
    std::vector<std::int64_t> amounts;
    for (int axis = rank - 1; axis >= 0; --axis)
      amounts.insert(amounts.end(), {parameters.padding[axis], end[axis]});
    padded = pad(x, amounts, padding_mode);
    parameters.padding = 0;
    parameters.padding_end = Axes();
  }
  const Scales scales = conv_scales(padded.shape(), weight.shape(), parameters, constraint, output_power);
  const detail::ScaledOperands operands(padded, weight, bias, scales);
  return evenkeel::conv(operands.x, operands.weight, operands.bias, parameters);
}

}  // namespace

Scales conv_scales(const Shape& x, const Shape& weight, const ConvParameters& parameters,
                   Constraint constraint) {
  return conv_scales(x, weight, parameters, constraint, 0.5);
}

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvParameters& parameters,
            Constraint constraint, PadMode padding_mode) {
  return scaled_conv(x, weight, bias, parameters, padding_mode, constraint, 0.5);
}

Scales conv_readout_scales(const Shape& x, const Shape& weight, const ConvParameters& parameters,
                           Constraint constraint) {
  return conv_scales(x, weight, parameters, constraint, 1);
}

Tensor conv_readout(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const ConvParameters& parameters, Constraint constraint, PadMode padding_mode) {
  return scaled_conv(x, weight, bias, parameters, padding_mode, constraint, 1);
}

double conv_transpose_fan_in(const Shape& weight, const ConvTransposeParameters& parameters) {
  return static_cast<double>(weight[0]) / static_cast<double>(parameters.groups) * kernel_cells(weight) /
         product(parameters.stride, weight.rank() - 2);
}

Scales conv_transpose_scales(const Shape& x, const Shape& weight, const ConvTransposeParameters& p,
                             Constraint constraint) {
  const int rank = spatial_rank("unit_scaled.conv_transpose", x, weight);
  double inputs = batch(x, rank), outputs = inputs;
  for (int axis = 0; axis < rank; ++axis) {
    inputs *= static_cast<double>(length(x, rank, axis));
    outputs *= static_cast<double>((length(x, rank, axis) - 1) * p.stride[axis] - 2 * p.padding[axis] +
                                   p.dilation[axis] * (weight[axis + 2] - 1) + p.output_padding[axis] + 1);
  }
  const double fan_out = static_cast<double>(weight[1]) * kernel_cells(weight);
  return apply_constraint(
      constraint,
      {detail::inverse_root(conv_transpose_fan_in(weight, p)),
       {detail::inverse_root(fan_out), detail::inverse_root(inputs), detail::inverse_root(outputs)}},
      1);
}

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const ConvTransposeParameters& parameters, Constraint constraint) {
  const Scales scales = conv_transpose_scales(x.shape(), weight.shape(), parameters, constraint);
  const detail::ScaledOperands operands(x, weight, bias, scales);
  return evenkeel::conv_transpose(operands.x, operands.weight, operands.bias, parameters);
}

}  // namespace evenkeel::unit_scaled
