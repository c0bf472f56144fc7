#pragma once

#include <evenkeel/core/ops/loss.h>

namespace evenkeel::nn {

// The losses with their options bound, to be passed around: nn::HuberLoss loss{.delta = 0.5}; loss(x,
// target).

struct CrossEntropyLoss {
  CrossEntropyOptions options = {};
  Tensor operator()(const Tensor& x, const Tensor& labels) const { return cross_entropy(x, labels, options); }
};

struct MSELoss {
  Reduction reduction = Reduction::mean;
  Tensor operator()(const Tensor& x, const Tensor& target) const { return mse_loss(x, target, reduction); }
};

struct L1Loss {
  Reduction reduction = Reduction::mean;
  Tensor operator()(const Tensor& x, const Tensor& target) const { return l1_loss(x, target, reduction); }
};

struct HuberLoss {
  double delta = 1;
  Reduction reduction = Reduction::mean;
  Tensor operator()(const Tensor& x, const Tensor& target) const {
    return huber_loss(x, target, delta, reduction);
  }
};

struct BCEWithLogitsLoss {
  Tensor pos_weight = {};
  Reduction reduction = Reduction::mean;
  Tensor operator()(const Tensor& x, const Tensor& target) const {
    return bce_with_logits(x, target, pos_weight, reduction);
  }
};

}  // namespace evenkeel::nn
