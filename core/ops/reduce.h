#pragma once

#include <evenkeel/core/tensor.h>

#include <vector>

namespace evenkeel {

// Reductions over some axes (negative counts from the last). `keepdim` leaves them with size 1. Double
// backward: yes, all.

/// Sum of all elements: a scalar.
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keepdim = false);
inline Tensor sum(const Tensor& x, int axis, bool keepdim = false) {
  return sum(x, std::vector{axis}, keepdim);
}

/// NaN for no elements, as in PyTorch.
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keepdim = false);
inline Tensor mean(const Tensor& x, int axis, bool keepdim = false) {
  return mean(x, std::vector{axis}, keepdim);
}

/// Variance, divided by count - correction.
Tensor var(const Tensor& x, const std::vector<int>& axes, int correction = 1, bool keepdim = false);

/// Largest element along `axis`; the gradient goes to the first of equals. ShapeError for a size of 0.
Tensor max(const Tensor& x, int axis, bool keepdim = false);
/// Index (i64) of the first largest element along `axis`; a NaN counts as the largest.
Tensor argmax(const Tensor& x, int axis, bool keepdim = false);

}  // namespace evenkeel
