#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

struct EmbeddingOptions {
  std::int64_t num_embeddings = 0;
  std::int64_t embedding_dim = 0;
  DType dtype = DType::f32;
};

/// Indices i64 (…) -> rows of weight (num_embeddings, embedding_dim), which starts as N(0, 1).
class Embedding : public Module {
 public:
  /// ConfigError unless both sizes are at least 1 and dtype is f32 or f64.
  Embedding(const EmbeddingOptions& options, Rng& rng);
  Tensor forward(const Tensor& indices) override;
  std::string extra_repr() const override;

  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
};

}  // namespace evenkeel::nn
