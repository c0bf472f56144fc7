#pragma once

#include <evenkeel/core/tensor.h>

#include <vector>

namespace evenkeel {

// Where elements stand. Double backward: yes, all.

/// The same memory with another shape; one size may be -1. ShapeError if the number of elements differs.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes);
/// Joins the axes first … last.
Tensor flatten(const Tensor& x, int first = 0, int last = -1);
/// Axis i of the result is axis order[i] of x.
Tensor permute(const Tensor& x, const std::vector<int>& order);
Tensor transpose(const Tensor& x, int first, int second);
/// Repeats axes of size 1 (and new leading axes) up to `shape`.
Tensor expand(const Tensor& x, const Shape& shape);
/// Elements begin, begin+step, … below end along `axis`; negative begin and end count from the end. Out of
/// range is cut, as in NumPy.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);
/// Joins tensors along an axis; all other sizes are equal.
Tensor cat(const std::vector<Tensor>& tensors, int axis = 0);
/// Joins tensors of one shape along a new axis.
Tensor stack(const std::vector<Tensor>& tensors, int axis = 0);

}  // namespace evenkeel
