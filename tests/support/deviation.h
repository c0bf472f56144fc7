#pragma once

#include <evenkeel/core/gradcheck.h>
#include <evenkeel/core/random.h>

#include <string>
#include <vector>

namespace evenkeel::test {

/// Standard deviations over several draws.
struct Deviations {
  double output = 0;
  std::vector<double> gradients;  ///< one an input that wants a gradient
};

/// Calls `function` on fresh `inputs` and goes back from normal output gradients, until each deviation rests
/// on some ten thousand numbers. Inputs that do not require a gradient are passed on as they are.
Deviations deviations_of(const TensorFunction& function,
                         const std::function<std::vector<Tensor>(Rng&)>& inputs);

/// A Boost check that the output's and all gradients' deviations are 1 ± 0.1.
void check_unit_scale(const std::string& what, const TensorFunction& function,
                      const std::function<std::vector<Tensor>(Rng&)>& inputs);

/// f32 normal numbers that want a gradient.
Tensor unit_leaf(const Shape& shape, Rng& rng);

}  // namespace evenkeel::test
