#pragma once

#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/sgd.h>

#include "support/golden.h"
#include "support/parameter_bag.h"

namespace evenkeel::test {

/// What a golden case's JSON settings (PyTorch's names) say over `options`.
inline optim::SGDOptions read(optim::SGDOptions options, const nlohmann::json& settings) {
  options.lr = settings.value("lr", options.lr);
  options.momentum = settings.value("momentum", options.momentum);
  options.dampening = settings.value("dampening", options.dampening);
  options.weight_decay = settings.value("weight_decay", options.weight_decay);
  options.nesterov = settings.value("nesterov", options.nesterov);
  return options;
}

template <class Options>
Options read(Options options, const nlohmann::json& settings) {
  options.lr = settings.value("lr", options.lr);
  options.betas = settings.value("betas", options.betas);
  options.eps = settings.value("eps", options.eps);
  options.weight_decay = settings.value("weight_decay", options.weight_decay);
  options.amsgrad = settings.value("amsgrad", options.amsgrad);
  return options;
}

/// Steps the optimiser through a golden case (tests/golden/README.md, optim.h5) and compares the parameters
/// p0, p1, … of `bag` with those stored, to `tolerance`.
void run_golden_steps(const GoldenCase& golden, const ParameterBag& bag, optim::Optimizer& optimizer,
                      double tolerance);

}  // namespace evenkeel::test
