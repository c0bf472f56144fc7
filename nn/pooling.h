#pragma once

#include <evenkeel/core/ops/pool.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

/// max_pool() over D spatial axes of x (N, C, L…) or unbatched (C, L…).
template <int D>
class MaxPool : public Module {
 public:
  /// ConfigError for options that fit no input, here and below.
  explicit MaxPool(const MaxPoolOptions& options);
  /// ShapeError for x of another rank or too short, here and below.
  Tensor forward(const Tensor& x) override { return max_pool(x, D, options_); }
  std::string type_name() const override { return "MaxPool" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;
  const MaxPoolOptions& options() const { return options_; }

 private:
  MaxPoolOptions options_;
};

/// avg_pool() in the same way.
template <int D>
class AvgPool : public Module {
 public:
  explicit AvgPool(const AvgPoolOptions& options);
  Tensor forward(const Tensor& x) override { return avg_pool(x, D, options_); }
  std::string type_name() const override { return "AvgPool" + std::to_string(D) + "d"; }
  std::string extra_repr() const override;
  const AvgPoolOptions& options() const { return options_; }

 private:
  AvgPoolOptions options_;
};

/// adaptive_avg_pool() in the same way.
template <int D>
class AdaptiveAvgPool : public Module {
 public:
  explicit AdaptiveAvgPool(const Axes& output_size);
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool(x, D, output_size_); }
  std::string type_name() const override { return "AdaptiveAvgPool" + std::to_string(D) + "d"; }
  std::string extra_repr() const override { return "output_size=" + output_size_.str(); }
  const Axes& output_size() const { return output_size_; }

 private:
  Axes output_size_;
};

using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;
using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;
using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

}  // namespace evenkeel::nn
