#pragma once

#include <evenkeel/core/gradcheck.h>

#include <string>
#include <vector>

namespace evenkeel::test {

/// A function of normal tensors, so large that its loops are cut into pieces, with odd ends.
struct FunctionCase {
  std::string name;  ///< as declared_functions() has it, and behind a space what is special
  std::vector<Shape> inputs;
  TensorFunction function;
  bool is_positive = false;  ///< takes positive numbers only
};

/// Every function that core/ops and nn declare.
std::vector<FunctionCase> function_cases();

std::vector<FunctionCase> op_cases();
std::vector<FunctionCase> nn_function_cases();

/// The numbers 0 … below - 1 in a mixed order.
Tensor mixed_indices(const Shape& shape, std::int64_t below);

}  // namespace evenkeel::test
