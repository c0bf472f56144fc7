#pragma once

#include <evenkeel/core/ops/pool.h>
#include <evenkeel/nn/embedding.h>
#include <evenkeel/nn/unit_scaled/constraint.h>
#include <evenkeel/nn/upsample.h>

namespace evenkeel::unit_scaled {

// Pooling, up-sampling and look-up; the options are the plain layers'.

namespace detail {

class MaxPool : public nn::Module {
 public:
  /// ConfigError for invalid options, here and below.
  MaxPool(int rank, const MaxPoolOptions& options, Constraint constraint);
  Tensor forward(const Tensor& x) override;

 private:
  int rank_;
  MaxPoolOptions options_;
  Constraint constraint_;
};

class AvgPool : public nn::Module {
 public:
  AvgPool(int rank, const AvgPoolOptions& options, Constraint constraint);
  Tensor forward(const Tensor& x) override;

 private:
  int rank_;
  AvgPoolOptions options_;
  Constraint constraint_;
};

class AdaptiveAvgPool : public nn::Module {
 public:
  AdaptiveAvgPool(int rank, const Axes& output_size, Constraint constraint);
  Tensor forward(const Tensor& x) override;

 private:
  int rank_;
  Axes output_size_;
  Constraint constraint_;
};

template <int D, class Base, class Options>
struct Pooling : Base {
  explicit Pooling(const Options& options, Constraint constraint = Constraint::to_output_scale)
      : Base(D, options, constraint) {}
};

}  // namespace detail

using MaxPool1d = detail::Pooling<1, detail::MaxPool, MaxPoolOptions>;
using MaxPool2d = detail::Pooling<2, detail::MaxPool, MaxPoolOptions>;
using MaxPool3d = detail::Pooling<3, detail::MaxPool, MaxPoolOptions>;
using AvgPool1d = detail::Pooling<1, detail::AvgPool, AvgPoolOptions>;
using AvgPool2d = detail::Pooling<2, detail::AvgPool, AvgPoolOptions>;
using AvgPool3d = detail::Pooling<3, detail::AvgPool, AvgPoolOptions>;
using AdaptiveAvgPool1d = detail::Pooling<1, detail::AdaptiveAvgPool, Axes>;
using AdaptiveAvgPool2d = detail::Pooling<2, detail::AdaptiveAvgPool, Axes>;
using AdaptiveAvgPool3d = detail::Pooling<3, detail::AdaptiveAvgPool, Axes>;

class Upsample : public nn::Upsample {
 public:
  explicit Upsample(const nn::UpsampleOptions& options, Constraint constraint = Constraint::to_output_scale)
      : nn::Upsample(options), constraint_(constraint) {}
  Tensor forward(const Tensor& x) override;

 private:
  Constraint constraint_;
};

/// Rows of weight (num_embeddings, embedding_dim) from N(0, 1), of μP type weight.
class Embedding : public nn::Embedding {
 public:
  Embedding(const nn::EmbeddingOptions& options, Rng& rng);
  Tensor forward(const Tensor& indices) override;
};

}  // namespace evenkeel::unit_scaled
