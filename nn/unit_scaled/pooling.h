#pragma once

#include <evenkeel/nn/embedding.h>
#include <evenkeel/nn/pooling.h>
#include <evenkeel/nn/unit_scaled/functional_pool.h>
#include <evenkeel/nn/upsample.h>

namespace evenkeel::unit_scaled {

// Pooling, up-sampling and look-up: the plain layers with the scales of their function.

template <int D>
class MaxPool : public nn::MaxPool<D> {
 public:
  explicit MaxPool(const MaxPoolOptions& options, Constraint constraint = Constraint::to_output_scale)
      : nn::MaxPool<D>(options), constraint_(constraint) {}
  Tensor forward(const Tensor& x) override { return max_pool(x, D, this->options(), constraint_); }

 private:
  Constraint constraint_;
};

template <int D>
class AvgPool : public nn::AvgPool<D> {
 public:
  explicit AvgPool(const AvgPoolOptions& options, Constraint constraint = Constraint::to_output_scale)
      : nn::AvgPool<D>(options), constraint_(constraint) {}
  Tensor forward(const Tensor& x) override { return avg_pool(x, D, this->options(), constraint_); }

 private:
  Constraint constraint_;
};

template <int D>
class AdaptiveAvgPool : public nn::AdaptiveAvgPool<D> {
 public:
  explicit AdaptiveAvgPool(const Axes& output_size, Constraint constraint = Constraint::to_output_scale)
      : nn::AdaptiveAvgPool<D>(output_size), constraint_(constraint) {}
  Tensor forward(const Tensor& x) override {
    return adaptive_avg_pool(x, D, this->output_size(), constraint_);
  }

 private:
  Constraint constraint_;
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

/// global_mean(): what stands between the last convolution and a LinearReadout.
class GlobalMean : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class Upsample : public nn::Upsample {
 public:
  /// `mean_share`: see interpolate_scales().
  explicit Upsample(const nn::UpsampleOptions& options, Constraint constraint = Constraint::to_output_scale,
                    double mean_share = 0)
      : nn::Upsample(options), constraint_(constraint), mean_share_(mean_share) {}
  Tensor forward(const Tensor& x) override;

 private:
  Constraint constraint_;
  double mean_share_;
};

/// Rows of weight (num_embeddings, embedding_dim) from N(0, 1), of μP type weight.
class Embedding : public nn::Embedding {
 public:
  Embedding(const nn::EmbeddingOptions& options, Rng& rng);
  Tensor forward(const Tensor& indices) override;
};

}  // namespace evenkeel::unit_scaled
