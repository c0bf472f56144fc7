#pragma once

#include <evenkeel/core/ops/math.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/module.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

struct ActivationOptions {
  double mult = 1;  ///< sharpness; see functional_activation.h
  Constraint constraint = Constraint::to_output_scale;
};

struct GELUOptions {
  double mult = 1;
  Constraint constraint = Constraint::to_output_scale;
  GeluApproximation approximate = GeluApproximation::none;
};

class GELU : public nn::Module {
 public:
  explicit GELU(const GELUOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  GELUOptions options_;
};

class SiLU : public nn::Module {
 public:
  explicit SiLU(const ActivationOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  ActivationOptions options_;
};

class ReLU : public nn::Module {
 public:
  explicit ReLU(Constraint constraint = Constraint::to_output_scale) : constraint_(constraint) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  Constraint constraint_;
};

struct PReLUOptions {
  std::int64_t num_parameters = 1;  ///< 1: one slope for all; else one a channel
  double init = 0.25;
  Constraint constraint = Constraint::to_output_scale;
  DType dtype = DType::f32;
};

/// unit_scaled::prelu() with weight (num_parameters) of μP type norm.
class PReLU : public nn::Module {
 public:
  /// ConfigError unless num_parameters is at least 1.
  explicit PReLU(const PReLUOptions& options = {});
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

  const nn::Parameter& weight() const { return weight_; }

 private:
  PReLUOptions options_;
  nn::Parameter weight_;
};

/// Along the axis `dim`.
class Softmax : public nn::Module {
 public:
  explicit Softmax(int dim, const ActivationOptions& options = {}) : dim_(dim), options_(options) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int dim_;
  ActivationOptions options_;
};

/// nn::Dropout times √(1-p), in training and in evaluation.
class Dropout : public nn::Dropout {
 public:
  /// ConfigError unless 0 ≤ p < 1.
  Dropout(const nn::DropoutOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;

 private:
  double p_;
};

}  // namespace evenkeel::unit_scaled
