#pragma once

#include <evenkeel/core/ops/pool.h>
#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

namespace detail {

/// A pooling over `rank` spatial axes of (N, C, L…) or (C, L…); see max_pool(), avg_pool() and
/// adaptive_avg_pool() for the options. Invalid options are a ConfigError when the layer is made.
class MaxPool : public Module {
 public:
  MaxPool(int rank, const MaxPoolOptions& options);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int rank_;
  MaxPoolOptions options_;
};

class AvgPool : public Module {
 public:
  AvgPool(int rank, const AvgPoolOptions& options);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int rank_;
  AvgPoolOptions options_;
};

class AdaptiveAvgPool : public Module {
 public:
  AdaptiveAvgPool(int rank, const Axes& output_size);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int rank_;
  Axes output_size_;
};

}  // namespace detail

struct MaxPool1d : detail::MaxPool {
  explicit MaxPool1d(const MaxPoolOptions& options) : MaxPool(1, options) {}
};
struct MaxPool2d : detail::MaxPool {
  explicit MaxPool2d(const MaxPoolOptions& options) : MaxPool(2, options) {}
};
struct MaxPool3d : detail::MaxPool {
  explicit MaxPool3d(const MaxPoolOptions& options) : MaxPool(3, options) {}
};

struct AvgPool1d : detail::AvgPool {
  explicit AvgPool1d(const AvgPoolOptions& options) : AvgPool(1, options) {}
};
struct AvgPool2d : detail::AvgPool {
  explicit AvgPool2d(const AvgPoolOptions& options) : AvgPool(2, options) {}
};
struct AvgPool3d : detail::AvgPool {
  explicit AvgPool3d(const AvgPoolOptions& options) : AvgPool(3, options) {}
};

struct AdaptiveAvgPool1d : detail::AdaptiveAvgPool {
  explicit AdaptiveAvgPool1d(const Axes& output_size) : AdaptiveAvgPool(1, output_size) {}
};
struct AdaptiveAvgPool2d : detail::AdaptiveAvgPool {
  explicit AdaptiveAvgPool2d(const Axes& output_size) : AdaptiveAvgPool(2, output_size) {}
};
struct AdaptiveAvgPool3d : detail::AdaptiveAvgPool {
  explicit AdaptiveAvgPool3d(const Axes& output_size) : AdaptiveAvgPool(3, output_size) {}
};

}  // namespace evenkeel::nn
