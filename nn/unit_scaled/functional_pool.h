#pragma once

#include <evenkeel/core/ops/pool.h>
#include <evenkeel/core/ops/upsample.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// Derived for inputs whose elements are independent and normal. A mean over many cells of an input with a
// mean of its own (behind a ReLU) grows that mean: prefer global_mean() before a readout.

/// Output Πkernel^½, gradient (Πkernel·Πstride)^½.
Scales avg_pool_scales(int rank, const AvgPoolOptions& options, Constraint constraint);
Tensor avg_pool(const Tensor& x, int rank, const AvgPoolOptions& options,
                Constraint constraint = Constraint::to_output_scale);

/// avg_pool_scales() with kernel and stride L / L_out.
Scales adaptive_avg_pool_scales(const Shape& x, int rank, const Axes& output_size, Constraint constraint);
Tensor adaptive_avg_pool(const Tensor& x, int rank, const Axes& output_size,
                         Constraint constraint = Constraint::to_output_scale);

/// Deviation of the largest of `count` normal numbers (integrated numerically).
double deviation_of_maximum(std::int64_t count);
/// Output 1 / deviation_of_maximum(Πkernel), gradient Πstride^½ (every output's gradient goes to one input).
Scales max_pool_scales(int rank, const MaxPoolOptions& options, Constraint constraint);
Tensor max_pool(const Tensor& x, int rank, const MaxPoolOptions& options,
                Constraint constraint = Constraint::to_output_scale);

/// Value as it is, for it is behind an activation, and its mean is what a readout reads; gradient times the
/// number of cells.
Scales global_mean_scales(const Shape& x);
/// Mean over all cells: (N, C, L…) -> (N, C).
Tensor global_mean(const Tensor& x);

/// From the sum of squares q of the weights that an output cell gives its inputs, on average over the cells:
/// output (q + (1 - q)·mean_share)^-½, gradient (q·ΠL_out / ΠL)^-½. For nearest q is 1. `mean_share`: how
/// much of the input's mean square is the square of its mean, which interpolation does not lower.
Scales interpolate_scales(const Shape& x, const InterpolateParameters& parameters, Constraint constraint,
                          double mean_share = 0);
/// As evenkeel::interpolate().
Tensor interpolate(const Tensor& x, const InterpolateParameters& parameters,
                   Constraint constraint = Constraint::to_output_scale, double mean_share = 0);

}  // namespace evenkeel::unit_scaled
