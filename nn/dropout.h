#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

struct DropoutOptions {
  double p = 0.5;  ///< probability of an element to become 0
};

/// dropout() while training, x itself in evaluation. The layer has a stream of random numbers of its own,
/// whose state (key, counter) is the buffer `rng_state` (i64, 2): a checkpoint saves it, a weights file does
/// not.
class Dropout : public Module {
 public:
  /// ConfigError unless 0 ≤ p ≤ 1.
  Dropout(const DropoutOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  double p_;
  Tensor rng_state_;
};

}  // namespace evenkeel::nn
