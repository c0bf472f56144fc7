#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/reduce.h>
#include <evenkeel/core/ops/shape.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/nn/unit_scaled/functional_pool.h>
#include <evenkeel/nn/unit_scaled/scaling.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace evenkeel::unit_scaled {

namespace {

double product(const Axes& numbers, int rank) {
  double all = 1;
  for (int axis = 0; axis < rank; ++axis) all *= static_cast<double>(numbers[axis]);
  return all;
}

const Axes& stride_of(const Axes& stride, const Axes& kernel) { return stride.is_set() ? stride : kernel; }

/// Scales of a mean over `cells` cells, a window starting every `step` cells.
Scales mean_scales(double cells, double step, Constraint constraint) {
  return apply_constraint(constraint, {std::sqrt(cells), {std::sqrt(cells * step)}});
}

}  // namespace

Scales avg_pool_scales(int rank, const AvgPoolOptions& options, Constraint constraint) {
  return mean_scales(product(options.kernel_size, rank),
                     product(stride_of(options.stride, options.kernel_size), rank), constraint);
}

Tensor avg_pool(const Tensor& x, int rank, const AvgPoolOptions& options, Constraint constraint) {
  return detail::scaled(evenkeel::avg_pool(x, rank, options), avg_pool_scales(rank, options, constraint));
}

Scales adaptive_avg_pool_scales(const Shape& x, int rank, const Axes& output_size, Constraint constraint) {
  double cells = 1;
  for (int axis = 0; axis < rank; ++axis)
    cells *= static_cast<double>(x.dim(axis - rank)) /
             static_cast<double>(std::max<std::int64_t>(1, output_size[axis]));
  return mean_scales(cells, cells, constraint);
}

Tensor adaptive_avg_pool(const Tensor& x, int rank, const Axes& output_size, Constraint constraint) {
  const Tensor out = evenkeel::adaptive_avg_pool(x, rank, output_size);
  return detail::scaled(out, adaptive_avg_pool_scales(x.shape(), rank, output_size, constraint));
}

double deviation_of_maximum(std::int64_t count) {
  // Trapezoids: for a smooth density that ends in zeros they converge faster than any power of the step.
  constexpr double kStep = 0.0625, kEnd = 10;
  const evenkeel::detail::FlushDenormals flush;
  double total = 0, first = 0, second = 0;
  for (double z = -kEnd; z <= kEnd; z += kStep) {
    const double below = std::erfc(-z * std::numbers::sqrt2 / 2) / 2;
    const double density = std::exp(-z * z / 2) * std::pow(below, static_cast<double>(count - 1));
    total += density;
    first += density * z;
    second += density * z * z;
  }
  const double mean = first / total;
  return std::sqrt(second / total - mean * mean);
}

Scales max_pool_scales(int rank, const MaxPoolOptions& options, Constraint constraint) {
  const auto cells = static_cast<std::int64_t>(product(options.kernel_size, rank));
  const double step = product(stride_of(options.stride, options.kernel_size), rank);
  return apply_constraint(constraint, {1 / deviation_of_maximum(cells), {std::sqrt(step)}});
}

Tensor max_pool(const Tensor& x, int rank, const MaxPoolOptions& options, Constraint constraint) {
  return detail::scaled(evenkeel::max_pool(x, rank, options), max_pool_scales(rank, options, constraint));
}

namespace {

/// Mean over the `out` cells of an axis of w² + (1-w)², w and 1-w being the weights of the two neighbours.
double mean_square_weight(std::int64_t in, std::int64_t out, double step, bool align_corners) {
  double sum = 0;
  for (std::int64_t o = 0; o < out; ++o) {
    const auto at = static_cast<double>(o);
    const double position = align_corners ? at * step : std::max(0.0, (at + 0.5) * step - 0.5);
    const double share = position - std::floor(position);
    sum += position >= static_cast<double>(in - 1) ? 1 : share * share + (1 - share) * (1 - share);
  }
  return out > 0 ? sum / static_cast<double>(out) : 1;
}

}  // namespace

Scales global_mean_scales(const Shape& x) {
  const Shape cells = x.slice(std::min(2, x.rank()), x.rank());
  return {1, {static_cast<double>(cells.numel())}};
}

Tensor global_mean(const Tensor& x) {
  if (x.rank() < 3)
    throw ShapeError("[unit_scaled.global_mean] expected x (N, C, L…), got " + x.shape().str());
  return detail::scaled(mean(flatten(x, 2), 2), global_mean_scales(x.shape()));
}

Scales interpolate_scales(const Shape& x, const InterpolateParameters& p, Constraint constraint,
                          double mean_share) {
  const int rank = x.rank() - 2;
  double squares = 1, growth = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const std::int64_t in = x[axis + 2];
    const auto length = static_cast<double>(in);
    const std::int64_t out =
        p.size.is_set() ? p.size[axis] : static_cast<std::int64_t>(length * p.scale_factor[axis]);
    growth *= static_cast<double>(out) / length;
    if (p.mode == InterpolationMode::nearest) continue;
    const double step = p.align_corners   ? (out > 1 ? (length - 1) / static_cast<double>(out - 1) : 0)
                        : p.size.is_set() ? length / static_cast<double>(out)
                                          : 1 / p.scale_factor[axis];
    squares *= mean_square_weight(in, out, step, p.align_corners);
  }
  return apply_constraint(constraint, {detail::inverse_root(squares + (1 - squares) * mean_share),
                                       {detail::inverse_root(squares * growth)}});
}

Tensor interpolate(const Tensor& x, const InterpolateParameters& parameters, Constraint constraint,
                   double mean_share) {
  return detail::scaled(evenkeel::interpolate(x, parameters),
                        interpolate_scales(x.shape(), parameters, constraint, mean_share));
}

}  // namespace evenkeel::unit_scaled
