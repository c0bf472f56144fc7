#pragma once

#include <evenkeel/nn/conv.h>

/// Convolutions with the arguments of torch.nn.functional, in its order.
namespace evenkeel::nn::functional {

/// As Conv1d (and 2-d, 3-d) with these parameters: x (N, C_in, L…) or unbatched (C_in, L…), weight (C_out,
/// C_in / groups, kernel…), bias (C_out) or undefined. ShapeError for tensors that do not fit, ConfigError
/// for other wrong arguments.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Axes& stride = 1,
              const ConvPadding& padding = 0, const Axes& dilation = 1, std::int64_t groups = 1);
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Axes& stride = 1,
              const ConvPadding& padding = 0, const Axes& dilation = 1, std::int64_t groups = 1);
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Axes& stride = 1,
              const ConvPadding& padding = 0, const Axes& dilation = 1, std::int64_t groups = 1);

/// As ConvTranspose1d (and 2-d, 3-d) with these parameters: weight (C_in, C_out / groups, kernel…). Errors as
/// above.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Axes& stride = 1, const Axes& padding = 0, const Axes& output_padding = 0,
                        std::int64_t groups = 1, const Axes& dilation = 1);
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Axes& stride = 1, const Axes& padding = 0, const Axes& output_padding = 0,
                        std::int64_t groups = 1, const Axes& dilation = 1);
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const Axes& stride = 1, const Axes& padding = 0, const Axes& output_padding = 0,
                        std::int64_t groups = 1, const Axes& dilation = 1);

}  // namespace evenkeel::nn::functional
