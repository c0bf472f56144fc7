#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

#include "support/golden.h"

namespace evenkeel::test {

inline unit_scaled::Constraint constraint_of(const GoldenCase& golden) {
  return unit_scaled::constraint_from(golden.options.at("constraint"));
}

/// An option that is one number an axis.
inline Axes axes_of(const GoldenCase& golden, const char* option) {
  const std::vector<std::int64_t> numbers = golden.options.at(option);
  return Axes(std::span<const std::int64_t>(numbers));
}

/// Runs all cases of an op in unit_scaling.h5 by f(case, tensors); returns how many there were.
template <class F>
int run_unit_scaling_cases(const std::string& op, const std::vector<std::string>& inputs, F f) {
  int cases = 0;
  for (const GoldenCase& golden : read_golden("unit_scaling.h5")) {
    if (golden.op != op) continue;
    ++cases;
    check_golden(golden, inputs, [&](const std::vector<Tensor>& tensors) { return f(golden, tensors); });
  }
  return cases;
}

}  // namespace evenkeel::test
