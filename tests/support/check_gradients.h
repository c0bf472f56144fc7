#pragma once

#include <evenkeel/core/gradcheck.h>
#include <evenkeel/core/random.h>

#include <initializer_list>
#include <vector>

namespace evenkeel::test {

/// gradcheck() as a Boost check; the numbers of checks and of Jacobian entries are added up and printed when
/// the program ends.
void check_gradients(const TensorFunction& function, const std::vector<Tensor>& inputs,
                     const GradcheckOptions& options = {});
/// With second-order gradients too.
void check_gradients_twice(const TensorFunction& function, const std::vector<Tensor>& inputs);
/// Passes if gradcheck() fails: the planted fault is caught. Counted and printed too.
void check_fault_is_caught(const TensorFunction& function, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options = {});

/// Normal f64 numbers from a fixed seed; every call gives others.
Tensor random_tensor(const Shape& shape);

/// |a - b| / max(|a|, |b|, largest |b|, tiny), the largest over all elements; any dtypes. Infinite where
/// shapes differ or exactly one is NaN.
double relative_difference(const Tensor& got, const Tensor& expected);

/// A Boost check that relative_difference() is at most `tolerance`.
void check_close(const Tensor& got, const Tensor& expected, double tolerance, const std::string& what = {});

}  // namespace evenkeel::test
