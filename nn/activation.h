#pragma once

#include <evenkeel/core/ops/math.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

struct PReLUOptions {
  std::int64_t num_parameters = 1;  ///< 1: one slope for all; else one a channel
  double init = 0.25;
  DType dtype = DType::f32;
};

/// x where x > 0, else weight·x; weight (num_parameters).
class PReLU : public Module {
 public:
  /// ConfigError unless num_parameters is at least 1.
  explicit PReLU(const PReLUOptions& options = {});
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
};

class GELU : public Module {
 public:
  explicit GELU(GeluApproximation approximate = GeluApproximation::none) : approximate_(approximate) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  GeluApproximation approximate_;
};

class SiLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Tanh : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

/// Along the axis `dim`; negative counts from the last.
class Softmax : public Module {
 public:
  explicit Softmax(int dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int dim_;
};

class LogSoftmax : public Module {
 public:
  explicit LogSoftmax(int dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int dim_;
};

}  // namespace evenkeel::nn
