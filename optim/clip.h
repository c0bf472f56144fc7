#pragma once

#include <evenkeel/nn/parameter.h>

#include <vector>

namespace evenkeel::optim {

/// Scales all gradients together by min(1, max_norm / (norm + 1e-6)), norm being their joint `norm_type`-norm
/// (1 or more, or infinity); returns the norm before. ValueError if it is not finite: the gradients stay as
/// they are. Parameters without a gradient count 0. The same bits at any thread count.
double clip_grad_norm_(const std::vector<nn::Parameter>& parameters, double max_norm, double norm_type = 2);

/// Clamps every element of every gradient to [-clip_value, clip_value].
void clip_grad_value_(const std::vector<nn::Parameter>& parameters, double clip_value);

}  // namespace evenkeel::optim
