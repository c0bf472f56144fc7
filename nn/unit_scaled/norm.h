#pragma once

#include <evenkeel/nn/module.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// As the plain layers (nn/norm.h), with scaled gradients of weight and bias; these are off by default: their
// μP rate is the base rate, which is large against weights of 1.

struct BatchNormOptions {
  std::int64_t num_features = 0;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  DType dtype = DType::f32;
};

/// x (N, C, L…) with D spatial axes; D = 1 takes (N, C) too. Buffers running_mean, running_var and
/// num_batches_tracked.
template <int D>
class BatchNorm : public nn::Module {
 public:
  /// ConfigError unless num_features ≥ 1.
  explicit BatchNorm(const BatchNormOptions& options);
  /// ShapeError for x of another rank.
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "BatchNorm" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

 private:
  BatchNormOptions options_;
  nn::Parameter weight_, bias_;
  Tensor running_mean_, running_var_, num_batches_tracked_;
};

struct InstanceNormOptions {
  std::int64_t num_features = 0;
  double eps = 1e-5;
  bool affine = false;
  DType dtype = DType::f32;
};

/// x (N, C, L…) with D spatial axes.
template <int D>
class InstanceNorm : public nn::Module {
 public:
  /// ConfigError unless num_features ≥ 1.
  explicit InstanceNorm(const InstanceNormOptions& options);
  /// ShapeError for x of another rank.
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "InstanceNorm" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;

 private:
  InstanceNormOptions options_;
  nn::Parameter weight_, bias_;
};

using BatchNorm1d = BatchNorm<1>;
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;
using InstanceNorm1d = InstanceNorm<1>;
using InstanceNorm2d = InstanceNorm<2>;
using InstanceNorm3d = InstanceNorm<3>;

struct LayerNormOptions {
  Shape normalized_shape;
  double eps = 1e-5;
  bool elementwise_affine = false;  ///< weight (ones) and, with it, bias (zeros)
  bool bias = true;
  DType dtype = DType::f32;
};

class LayerNorm : public nn::Module {
 public:
  /// ConfigError unless normalized_shape has axes.
  explicit LayerNorm(const LayerNormOptions& options);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  LayerNormOptions options_;
  nn::Parameter weight_, bias_;
};

struct RMSNormOptions {
  Shape normalized_shape;
  double eps = 1e-5;
  bool elementwise_affine = false;
  DType dtype = DType::f32;
};

class RMSNorm : public nn::Module {
 public:
  /// ConfigError unless normalized_shape has axes.
  explicit RMSNorm(const RMSNormOptions& options);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  RMSNormOptions options_;
  nn::Parameter weight_;
};

}  // namespace evenkeel::unit_scaled
