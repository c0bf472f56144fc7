#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

struct LinearOptions {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
  bool bias = true;
  DType dtype = DType::f32;
};

/// x [..., in_features] -> x weightᵀ + bias [..., out_features]. weight (out_features, in_features) and bias
/// (out_features) start as U(-√k, √k), k = 1 / in_features.
class Linear : public Module {
 public:
  /// ConfigError unless the features are at least 1 and dtype is f32 or f64.
  Linear(const LinearOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const LinearOptions& options() const { return options_; }
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 private:
  LinearOptions options_;
  Parameter weight_, bias_;
};

}  // namespace evenkeel::nn
