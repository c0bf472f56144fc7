#pragma once

#include <evenkeel/core/gradcheck.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace evenkeel::test {

/// One function and the inputs to differentiate it at.
struct OpCase {
  TensorFunction function;
  std::vector<Tensor> inputs;
};

using OpCases = std::function<std::vector<OpCase>()>;

/// The gradient checks of every public op, by the op's name. op_checks_test runs them all, first and second
/// order, plants faults in each op's gradient, and fails for an op declared in core/ops without checks.
std::map<std::string, std::vector<OpCases>>& op_checks();

/// Adds checks: const OpChecks relu_checks("relu", [] { return std::vector<OpCase>{…}; });
struct OpChecks {
  OpChecks(const std::string& op, OpCases cases) { op_checks()[op].push_back(std::move(cases)); }
};

/// The same function of one tensor at inputs of many shapes: none, one and odd numbers of elements.
std::vector<OpCase> over_shapes(const std::function<Tensor(const Tensor&)>& function,
                                const std::function<Tensor(const Shape&)>& make);

/// Normal numbers at least 0.1 away from 0.
Tensor away_from_zero(const Shape& shape);
/// Numbers from 0.5 to 2.
Tensor positive(const Shape& shape);

enum class Fault { sign, factor, reversed, lost_term, off_by_one };
inline constexpr Fault kFaults[] = {Fault::sign, Fault::factor, Fault::reversed, Fault::lost_term,
                                    Fault::off_by_one};
const char* name(Fault fault);

/// `function` with the right value and, by a fault, the wrong gradient.
TensorFunction with_fault(const TensorFunction& function, Fault fault);
/// Whether the fault changes any gradient: reversing a constant one does not.
bool is_a_fault(const OpCase& op, Fault fault);

}  // namespace evenkeel::test
