#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Unit scaling (arXiv 2303.11257) and u-μP (arXiv 2407.17465): ops and layers whose outputs, input gradients
/// and parameter gradients have deviation 1 when their inputs have.
namespace evenkeel::unit_scaled {

/// Which one scale an op uses for its output and for the gradients of its inputs. With one scale for both, a
/// backward pass is the true gradient up to one factor for the whole net; with `none` each is scaled on its
/// own.
enum class Constraint : std::uint8_t {
  none,                 ///< each its own
  gmean,                ///< the geometric mean of all
  hmean,                ///< the harmonic mean
  amean,                ///< the arithmetic mean
  to_output_scale,      ///< the output's
  to_grad_input_scale,  ///< the input gradient's; ops of one input
  to_left_grad_scale,   ///< the left input gradient's; ops of two inputs
  to_right_grad_scale,  ///< the right input gradient's
};

/// "none", "gmean", ….
const char* name(Constraint constraint);
/// ConfigError for any other text.
Constraint constraint_from(const std::string& text);

/// The geometric, harmonic and arithmetic mean of positive numbers.
double gmean(const std::vector<double>& scales);
double hmean(const std::vector<double>& scales);
double amean(const std::vector<double>& scales);

/// Factors of an op's output and of the gradients of its inputs, in the order of the op's arguments.
struct Scales {
  double output = 1;
  std::vector<double> gradients;

  /// What backward() gives, by input, as a multiple of the derivative of what forward() gives:
  /// GradcheckOptions::factors.
  std::vector<double> factors() const;
};

/// `scales` after the constraint, which ties the output's to those of the first `constrained` gradients (all
/// by default; parameters' gradients are never tied). ConfigError if the constraint is not for that many
/// inputs.
Scales apply_constraint(Constraint constraint, Scales scales, std::size_t constrained = SIZE_MAX);

}  // namespace evenkeel::unit_scaled
