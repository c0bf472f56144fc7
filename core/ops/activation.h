#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

/// x where x > 0, else weight·x (arXiv 1502.01852). x (N, C, …) of any rank, weight (1) or (C): one slope for
/// all or one a channel. ShapeError if weight fits neither. Double backward: yes.
Tensor prelu(const Tensor& x, const Tensor& weight);

/// exp(x) / Σ exp(x) along `axis` (negative counts from the last). Double backward: yes.
Tensor softmax(const Tensor& x, int axis);
/// log(softmax(x)), without overflow. Double backward: yes.
Tensor log_softmax(const Tensor& x, int axis);

}  // namespace evenkeel
