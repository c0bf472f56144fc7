#pragma once

#include <evenkeel/core/tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace evenkeel {

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double eps = 1e-5;  ///< step of the central differences, relative to max(1, |x|)
  double rtol =
      1e-6;  ///< allowed |analytic - numeric| / max(|analytic|, |numeric|, largest entry of the Jacobian)
  double atol = 1e-9;  ///< allowed |analytic - numeric|
  /// The declared factor of each input's gradient: the analytic gradient must be factor × derivative. Empty
  /// means 1 for all. Unit-scaled ops declare other factors.
  std::vector<double> factors = {};
  bool second_order = false;  ///< check the gradient of the gradient too
};

struct GradcheckReport {
  bool passed = true;
  std::int64_t entries = 0;  ///< Jacobian entries compared
  double worst_error = 0;    ///< largest relative error of the entries that differ by more than atol
  std::string worst;         ///< where it is: input, element, output element, both values
  explicit operator bool() const { return passed; }
};

/// Compares the whole Jacobian that backward() gives with central differences, in f64: every output element
/// by every input element. `inputs` are f64 (or i64, which are constants); those that require a gradient are
/// varied (all, if none does). It also checks that each input alone gets the gradient that it gets with the
/// others, and that two paths accumulate onto a filled gradient. DTypeError for f32 inputs.
GradcheckReport gradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {});

/// Compares <A x, y> with <x, Aᵀ y> for a linear function of inputs[0] (the other inputs are constants), with
/// random x and y. Returns the relative difference.
double adjoint_test(const TensorFunction& function, const std::vector<Tensor>& inputs, Rng& rng);

}  // namespace evenkeel
