#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

// Elementwise functions of one floating tensor. Double backward: yes, all.

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor abs(const Tensor& x);
/// x to a constant power.
Tensor pow(const Tensor& x, double exponent);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// max(x, 0); the slope at 0 is 0.
Tensor relu(const Tensor& x);
/// x·sigmoid(x).
Tensor silu(const Tensor& x);
enum class GeluApproximation { none, tanh };
/// x·Φ(x) (arXiv 1606.08415), exact or by PyTorch's tanh form.
Tensor gelu(const Tensor& x, GeluApproximation approximation = GeluApproximation::none);

}  // namespace evenkeel
