#pragma once

#include <evenkeel/core/ops/norm.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

struct BatchNormOptions {
  std::int64_t num_features = 0;
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< of the running statistics; none: their cumulative average
  bool affine = true;                    ///< weight (ones) and bias (zeros), one number a channel
  bool track_running_stats = true;       ///< else evaluation uses the batch's statistics too
  DType dtype = DType::f32;
};

/// batch_norm() (arXiv 1502.03167) of x (N, C, L…) with D spatial axes; D = 1 takes (N, C) too. Buffers
/// running_mean, running_var and num_batches_tracked (i64).
template <int D>
class BatchNorm : public Module {
 public:
  /// ConfigError unless num_features ≥ 1, eps > 0 and momentum is in [0, 1].
  explicit BatchNorm(const BatchNormOptions& options);
  /// ShapeError for x of another rank or number of channels.
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "BatchNorm" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

  const BatchNormOptions& options() const { return options_; }
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 protected:
  /// With ReLU and PReLU.
  Tensor forward_with(const Tensor& x, const Module& next) override;

 private:
  Tensor run(const Tensor& x, const NormActivation& then);

  BatchNormOptions options_;
  Parameter weight_, bias_;
  Tensor running_mean_, running_var_, num_batches_tracked_;
};

struct InstanceNormOptions {
  std::int64_t num_features = 0;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;  ///< evaluation then uses running statistics instead of x's own
  DType dtype = DType::f32;
};

/// instance_norm() (arXiv 1607.08022) of x (N, C, L…) or unbatched (C, L…) with D spatial axes. Buffers as
/// BatchNorm, if tracked.
template <int D>
class InstanceNorm : public Module {
 public:
  /// ConfigError unless num_features ≥ 1, eps > 0 and momentum is in [0, 1].
  explicit InstanceNorm(const InstanceNormOptions& options);
  /// ShapeError for x of another rank or number of channels.
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "InstanceNorm" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

  const InstanceNormOptions& options() const { return options_; }
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 protected:
  /// With ReLU and PReLU.
  Tensor forward_with(const Tensor& x, const Module& next) override;

 private:
  Tensor run(const Tensor& x, const NormActivation& then);

  InstanceNormOptions options_;
  Parameter weight_, bias_;
  Tensor running_mean_, running_var_;
};

using BatchNorm1d = BatchNorm<1>;
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;
using InstanceNorm1d = InstanceNorm<1>;
using InstanceNorm2d = InstanceNorm<2>;
using InstanceNorm3d = InstanceNorm<3>;

struct LayerNormOptions {
  Shape normalized_shape;  ///< the last axes of x
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< weight (ones) and, with it, bias (zeros)
  bool bias = true;
  DType dtype = DType::f32;
};

/// layer_norm() (arXiv 1607.06450) of x […, normalized_shape].
class LayerNorm : public Module {
 public:
  /// ConfigError unless normalized_shape has axes and elements and eps > 0.
  explicit LayerNorm(const LayerNormOptions& options);
  /// ShapeError unless x ends with normalized_shape.
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  LayerNormOptions options_;
  Parameter weight_, bias_;
};

struct RMSNormOptions {
  Shape normalized_shape;
  std::optional<double> eps = {};  ///< none: the type's machine epsilon
  bool elementwise_affine = true;  ///< weight (ones)
  DType dtype = DType::f32;
};

/// rms_norm() (arXiv 1910.07467) of x […, normalized_shape].
class RMSNorm : public Module {
 public:
  /// ConfigError unless normalized_shape has axes and elements and eps > 0.
  explicit RMSNorm(const RMSNormOptions& options);
  /// ShapeError unless x ends with normalized_shape.
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  RMSNormOptions options_;
  Parameter weight_;
};

}  // namespace evenkeel::nn
