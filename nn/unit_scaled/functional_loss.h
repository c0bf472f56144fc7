#pragma once

#include <evenkeel/core/ops/loss.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// A loss starts the backward pass: its value is the plain one, its gradient that of the sum over all
// elements, scaled to deviation 1, whatever the reduction and the batch size. Reduction::none is a
// ConfigError.

struct CrossEntropyOptions {
  double mult = 1;                   ///< factor of the logits, an inverse temperature
  std::int64_t ignore_index = -100;  ///< a label that counts neither in the sum nor in the mean
  double label_smoothing = 0;
  Reduction reduction = Reduction::mean;
};

/// Of (x) for `classes` classes and `rows` labels that count: V / √(V-1) / (1 - label_smoothing) on the
/// gradient of the sum. Exact where all classes are equally likely, as at the start of training.
Scales cross_entropy_scales(std::int64_t classes, std::int64_t rows, const CrossEntropyOptions& options);
/// Shapes and errors as evenkeel::cross_entropy(). The mean is over the labels that are not ignored.
Tensor cross_entropy(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options = {});

/// Of (x, target): 8^-½ on the gradient of the sum.
Scales mse_loss_scales(std::int64_t count, Reduction reduction);
/// Shapes and errors as evenkeel::mse_loss().
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// Of (weight): (rows / lookups)^½.
Scales embedding_scales(const Shape& indices, const Shape& weight);
/// As evenkeel::embedding().
Tensor embedding(const Tensor& indices, const Tensor& weight);

}  // namespace evenkeel::unit_scaled
