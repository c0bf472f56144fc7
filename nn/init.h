#pragma once

#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>

namespace evenkeel::nn::init {

/// Number of inputs that one output element reads, from a weight (out, in, kernel…): the product of all axes
/// but the first. ShapeError for less than two axes.
std::int64_t fan_in(const Shape& weight);
/// The same for outputs: the product of all axes but the second.
std::int64_t fan_out(const Shape& weight);

// In place, on a leaf; they return it.
Tensor uniform_(Tensor weight, double low, double high, Rng& rng);
Tensor normal_(Tensor weight, double mean, double deviation, Rng& rng);
/// U(-b, b), b = gain·√(3 / fan_in) (arXiv 1502.01852); gain √2 suits ReLU.
Tensor kaiming_uniform_(Tensor weight, Rng& rng, double gain = 1.4142135623730951);
/// N(0, gain² / fan_in).
Tensor kaiming_normal_(Tensor weight, Rng& rng, double gain = 1.4142135623730951);
/// U(-b, b), b = gain·√(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
Tensor xavier_uniform_(Tensor weight, Rng& rng, double gain = 1.0);
/// N(0, 2·gain² / (fan_in + fan_out)).
Tensor xavier_normal_(Tensor weight, Rng& rng, double gain = 1.0);

/// MegEngine's start of a layer: weight N(0, 1 / fan_in), bias (if defined) zero.
void megengine_(Tensor weight, Tensor bias, Rng& rng);

}  // namespace evenkeel::nn::init
