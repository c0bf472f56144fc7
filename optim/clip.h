#pragma once

#include <evenkeel/nn/parameter.h>

#include <vector>

namespace evenkeel::optim {

/// Scales all gradients together so that their joint 2-norm is at most `max_norm`; returns the norm before.
/// ValueError if the norm is not finite: the gradients stay as they are. Parameters without a gradient count
/// 0.
double clip_grad_norm_(const std::vector<nn::Parameter>& parameters, double max_norm);

/// Clamps every element of every gradient to [-limit, limit].
void clip_grad_value_(const std::vector<nn::Parameter>& parameters, double limit);

}  // namespace evenkeel::optim
