#pragma once

#include <evenkeel/core/ops/math.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel {
class Rng;
}

namespace evenkeel::unit_scaled {

// `mult` sharpens the function: gelu(mult·x) / mult, x·sigmoid(mult·x), softmax(mult·x). It must be positive
// (ConfigError). The scales of GELU, SiLU and softmax are the published package's interpolations between the
// limits of a small and of a large mult; those of ReLU and PReLU are exact for normal inputs.

Scales gelu_scales(double mult, Constraint constraint);
Tensor gelu(const Tensor& x, double mult = 1, Constraint constraint = Constraint::to_output_scale,
            GeluApproximation approximation = GeluApproximation::none);

Scales silu_scales(double mult, Constraint constraint);
Tensor silu(const Tensor& x, double mult = 1, Constraint constraint = Constraint::to_output_scale);

/// One scale for the output and both gradients.
Scales silu_glu_scales(double mult);
/// x·silu(gate): a gated linear unit (arXiv 2002.05202).
Tensor silu_glu(const Tensor& x, const Tensor& gate, double mult = 1);

/// Output (½ - 1/(2π))^-½, gradient 2^½.
Scales relu_scales(Constraint constraint);
Tensor relu(const Tensor& x, Constraint constraint = Constraint::to_output_scale);

/// How much of the mean square of prelu()'s output is the square of its mean, (1-s)² / (π(1+s²)): 1/π for a
/// ReLU, whose slope is 0.
double mean_share_behind_prelu(double slope);

/// Of (x, weight) for a slope `slope`: output ((1+s²)/2 - (1-s)²/(2π))^-½, gradient (2/(1+s²))^½, slopes
/// (elements that share a slope / 2)^-½.
Scales prelu_scales(const Shape& x, const Shape& weight, double slope, Constraint constraint);
/// x where x > 0, else weight·x; weight (1) or (C). The scales are fixed by `slope`, the weight's value at
/// the start: a scale that follows a trained weight would change the gradient's meaning.
Tensor prelu(const Tensor& x, const Tensor& weight, double slope = 0.25,
             Constraint constraint = Constraint::to_output_scale);

/// For an axis of `size`. A rough model: deviations stay within 0.1 … 10.
Scales softmax_scales(std::int64_t size, double mult, Constraint constraint);
Tensor softmax(const Tensor& x, int axis, double mult = 1,
               Constraint constraint = Constraint::to_output_scale);

/// (1-p)^½ for both, in training and evaluation alike, so that the mean agrees.
Scales dropout_scales(double p);
/// Without `rng` nothing is dropped: evaluation. ConfigError unless 0 ≤ p < 1.
Tensor dropout(const Tensor& x, double p, Rng* rng);

}  // namespace evenkeel::unit_scaled
