#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/check.h>
#include <evenkeel/nn/embedding.h>

#include <fmt/format.h>

namespace evenkeel::nn {

Embedding::Embedding(const EmbeddingOptions& options, Rng& rng) {
  if (options.num_embeddings < 1 || options.embedding_dim < 1)
    throw ConfigError(
        fmt::format("[Embedding] expected num_embeddings and embedding_dim of at least 1, got {} and {}",
                    options.num_embeddings, options.embedding_dim));
  check_floating("Embedding", options.dtype);
  weight_ = add_parameter("weight",
                          Tensor::randn({options.num_embeddings, options.embedding_dim}, rng, options.dtype));
}

Tensor Embedding::forward(const Tensor& indices) { return embedding(indices, weight_); }

std::string Embedding::extra_repr() const {
  return fmt::format("{}, {}", weight_.tensor().dim(0), weight_.tensor().dim(1));
}

}  // namespace evenkeel::nn
