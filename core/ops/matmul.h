#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

/// a [..., M, K] times b [..., K, N] -> [..., M, N]; the leading axes broadcast. Both have at least two
/// axes. Double backward: yes.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x [..., in] times weight [out, in] transposed, plus bias [out] if it is defined -> [..., out]. Double
/// backward: yes.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace evenkeel
