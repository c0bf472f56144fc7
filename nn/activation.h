#pragma once

#include <evenkeel/core/ops/math.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

// Activations of x of any shape, elementwise but for Softmax and LogSoftmax. Calls throw DTypeError for
// integers.

/// x where x > 0, else 0.
class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

struct PReLUOptions {
  std::int64_t num_parameters = 1;  ///< 1: one slope for all; else one a channel
  double init = 0.25;
  DType dtype = DType::f32;
};

/// x where x > 0, else weight·x; weight (num_parameters) (arXiv 1502.01852). Calls throw ShapeError for x (N,
/// C, L…) of another number of channels.
class PReLU : public Module {
 public:
  /// ConfigError unless num_parameters is at least 1 and dtype is f32 or f64.
  explicit PReLU(const PReLUOptions& options = {});
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
};

/// x·Φ(x), Φ the normal distribution's; or its approximation by tanh (arXiv 1606.08415).
class GELU : public Module {
 public:
  explicit GELU(GeluApproximation approximate = GeluApproximation::none) : approximate_(approximate) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  GeluApproximation approximate_;
};

/// x·sigmoid(x) (arXiv 1702.03118).
class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

/// 1 / (1 + exp(-x)).
class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

/// softmax() along the axis `dim`; negative counts from the last. ShapeError if x has no such axis, here and
/// below.
class Softmax : public Module {
 public:
  explicit Softmax(int dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int dim_;
};

/// log_softmax() along the axis `dim`.
class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(int dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int dim_;
};

}  // namespace evenkeel::nn
