#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

/// What becomes of the losses of all elements: kept as they are, their mean, their sum.
enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  Tensor weight = {};                ///< one factor a class (C); undefined for 1
  std::int64_t ignore_index = -100;  ///< a label that counts neither in the sum nor in the mean
  double label_smoothing = 0;        ///< share of the target that is spread over all classes, 0 … 1
  Reduction reduction = Reduction::mean;
};

/// -log softmax(x)[label] with x (N, C), (N, C, L…) or (C), and labels i64 (N), (N, L…) or scalar. The mean
/// is over the weights of the labels that count, as in PyTorch. ValueError for a label that is not a class
/// (with its place) and for a mean over no label; ShapeError, DTypeError. Double backward: yes.
Tensor cross_entropy(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options = {});

// Of two tensors of one shape and type (ShapeError, DTypeError otherwise); the gradient flows to both. A mean
// over no elements is a ValueError. Double backward: yes.

/// (x - target)².
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
/// |x - target|; the slope at 0 is 0.
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);
/// d²/2 where |d| ≤ delta, else delta·(|d| - delta/2), with d = x - target. ConfigError unless delta > 0.
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                  Reduction reduction = Reduction::mean);
/// -(pos_weight·target·log σ(x) + (1 - target)·log(1 - σ(x))), without overflow; target is a probability.
/// pos_weight broadcasts to x's shape and is a constant; undefined for 1.
Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& pos_weight = {},
                       Reduction reduction = Reduction::mean);

}  // namespace evenkeel
