#pragma once

#include <evenkeel/nn/module.h>
#include <evenkeel/optim/optimizer.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace evenkeel::test {

/// A net of five classes.
struct NetCase {
  std::string name;
  std::function<std::unique_ptr<nn::Module>(Rng&)> make;
  Shape input;
};

/// A few layers over signals, with dropout.
NetCase small_net();
/// Over images, of 64 channels and more: strided, pointwise and plain convolutions, norms, pooling and
/// up-sampling.
NetCase wide_net();
/// Of unit-scaled layers.
NetCase unit_scaled_net();

struct OptimiserCase {
  std::string name;  ///< the class, and behind a space what is special
  std::function<std::unique_ptr<optim::Optimizer>(const std::vector<nn::NamedParameter>&)> make;
};

/// Every optimiser of optim/, with the options that change what a step computes.
std::vector<OptimiserCase> optimiser_cases();
/// Those with μP's rates, for parameters of unit-scaled layers.
std::vector<OptimiserCase> mup_cases();

}  // namespace evenkeel::test
