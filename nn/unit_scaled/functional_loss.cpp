#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/embedding.h>
#include <evenkeel/nn/unit_scaled/functional_loss.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::unit_scaled {

namespace {

/// 1 for a sum, 1/count for a mean: what the value is of the sum.
double share_of_sum(const char* op, Reduction reduction, std::int64_t count) {
  if (reduction == Reduction::none)
    throw ConfigError(std::string("[unit_scaled.") + op + "] expected the reduction mean or sum, got none");
  return reduction == Reduction::sum ? 1 : 1 / static_cast<double>(count);
}

/// The loss, whose gradient is that of the sum times the scale.
Tensor scaled_loss(const Tensor& loss, const Scales& scales) {
  return detail::scale_both(loss, 1, scales.gradients[0] / scales.output);
}

}  // namespace

Scales cross_entropy_scales(std::int64_t classes, std::int64_t rows, const CrossEntropyOptions& options) {
  if (!(options.mult > 0) || !(options.label_smoothing < 1))
    throw ConfigError(
        "[unit_scaled.cross_entropy] expected a positive mult and label_smoothing below 1, got " +
        std::to_string(options.mult) + " and " + std::to_string(options.label_smoothing));
  const auto v = static_cast<double>(std::max<std::int64_t>(2, classes));
  return {options.mult * share_of_sum("cross_entropy", options.reduction, rows),
          {v / std::sqrt(v - 1) / (1 - options.label_smoothing)}};
}

Tensor cross_entropy(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options) {
  const std::int64_t* label = labels.data<std::int64_t>();
  const std::int64_t rows = labels.numel() - std::count(label, label + labels.numel(), options.ignore_index);
  const Tensor loss = evenkeel::cross_entropy(options.mult == 1 ? x : x * options.mult, labels,
                                              {.ignore_index = options.ignore_index,
                                               .label_smoothing = options.label_smoothing,
                                               .reduction = options.reduction});
  return scaled_loss(loss, cross_entropy_scales(x.dim(x.rank() == 1 ? 0 : 1), rows, options));
}

Scales mse_loss_scales(std::int64_t count, Reduction reduction) {
  const double scale = std::sqrt(0.125);
  return {share_of_sum("mse_loss", reduction, count), {scale, scale}};
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return scaled_loss(evenkeel::mse_loss(x, target, reduction), mse_loss_scales(x.numel(), reduction));
}

Scales embedding_scales(const Shape& indices, const Shape& weight) {
  const auto lookups = static_cast<double>(std::max<std::int64_t>(1, indices.numel()));
  return {1, {std::sqrt(static_cast<double>(weight.dim(0)) / lookups)}};
}

Tensor embedding(const Tensor& indices, const Tensor& weight) {
  return evenkeel::embedding(
      indices, scale_bwd(weight, embedding_scales(indices.shape(), weight.shape()).gradients[0]));
}

}  // namespace evenkeel::unit_scaled
