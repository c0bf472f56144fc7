#pragma once

#include <evenkeel/nn/module.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

struct LinearOptions {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
  bool bias = false;
  Constraint constraint = Constraint::to_output_scale;
  MupType weight_mup_type = MupType::weight;
  DType dtype = DType::f32;
};

/// unit_scaled::linear() with weight (out_features, in_features) from N(0, 1) and bias 0.
class Linear : public nn::Module {
 public:
  /// ConfigError unless the features are at least 1.
  Linear(const LinearOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const LinearOptions& options() const { return options_; }
  const nn::Parameter& weight() const { return weight_; }
  const nn::Parameter& bias() const { return bias_; }

 private:
  LinearOptions options_;
  nn::Parameter weight_, bias_;
};

struct LinearReadoutOptions {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
  bool bias = false;
  Constraint constraint = Constraint::none;
  MupType weight_mup_type = MupType::output;
  DType dtype = DType::f32;
};

/// The last layer of a net: unit_scaled::linear_readout(), whose output shrinks as 1 / in_features.
class LinearReadout : public Linear {
 public:
  LinearReadout(const LinearReadoutOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
};

}  // namespace evenkeel::unit_scaled
