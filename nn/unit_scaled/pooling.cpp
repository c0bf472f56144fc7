#include <evenkeel/nn/unit_scaled/functional_loss.h>
#include <evenkeel/nn/unit_scaled/functional_pool.h>
#include <evenkeel/nn/unit_scaled/pooling.h>

#include <fmt/format.h>

namespace evenkeel::unit_scaled {

namespace detail {

MaxPool::MaxPool(int rank, const MaxPoolOptions& options, Constraint constraint)
    : rank_(rank), options_(options), constraint_(constraint) {
  evenkeel::detail::check_pool(fmt::format("unit_scaled.MaxPool{}d", rank), rank, options);
}

Tensor MaxPool::forward(const Tensor& x) { return max_pool(x, rank_, options_, constraint_); }

AvgPool::AvgPool(int rank, const AvgPoolOptions& options, Constraint constraint)
    : rank_(rank), options_(options), constraint_(constraint) {
  evenkeel::detail::check_pool(fmt::format("unit_scaled.AvgPool{}d", rank), rank, options);
}

Tensor AvgPool::forward(const Tensor& x) { return avg_pool(x, rank_, options_, constraint_); }

AdaptiveAvgPool::AdaptiveAvgPool(int rank, const Axes& output_size, Constraint constraint)
    : rank_(rank), output_size_(output_size), constraint_(constraint) {
  output_size.over(rank, fmt::format("unit_scaled.AdaptiveAvgPool{}d", rank), "output_size", std::int64_t{1});
}

Tensor AdaptiveAvgPool::forward(const Tensor& x) {
  return adaptive_avg_pool(x, rank_, output_size_, constraint_);
}

}  // namespace detail

Tensor Upsample::forward(const Tensor& x) { return interpolate(x, options(), constraint_); }

Embedding::Embedding(const nn::EmbeddingOptions& options, Rng& rng) : nn::Embedding(options, rng) {
  nn::Parameter parameter = weight();
  parameter.set_mup_type(MupType::weight);
  parameter.set_constraint(evenkeel::unit_scaled::name(Constraint::none));
}

Tensor Embedding::forward(const Tensor& indices) { return unit_scaled::embedding(indices, weight()); }

}  // namespace evenkeel::unit_scaled
