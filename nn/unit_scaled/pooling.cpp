#include <evenkeel/nn/unit_scaled/functional_loss.h>
#include <evenkeel/nn/unit_scaled/functional_pool.h>
#include <evenkeel/nn/unit_scaled/pooling.h>

namespace evenkeel::unit_scaled {

Tensor GlobalMean::forward(const Tensor& x) { return global_mean(x); }

Tensor Upsample::forward(const Tensor& x) { return interpolate(x, options(), constraint_, mean_share_); }

Embedding::Embedding(const nn::EmbeddingOptions& options, Rng& rng) : nn::Embedding(options, rng) {
  nn::Parameter parameter = weight();
  parameter.set_mup_type(MupType::weight);
  parameter.set_constraint(evenkeel::unit_scaled::name(Constraint::none));
}

Tensor Embedding::forward(const Tensor& indices) { return unit_scaled::embedding(indices, weight()); }

}  // namespace evenkeel::unit_scaled
