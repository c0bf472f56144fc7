#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

// Elementwise, with broadcasting as in NumPy. ShapeError if the shapes do not broadcast, DTypeError if the
// types differ or are not floating. Double backward: yes.

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);

/// a·x + b with two numbers.
Tensor affine(const Tensor& x, double a, double b);

/// The value times `forward`, the gradient times `backward` (unit scaling's primitive, arXiv 2303.11257).
Tensor scale(const Tensor& x, double forward, double backward);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return affine(a, 1, b); }
inline Tensor operator-(const Tensor& a, double b) { return affine(a, 1, -b); }
inline Tensor operator*(const Tensor& a, double b) { return affine(a, b, 0); }
inline Tensor operator/(const Tensor& a, double b) { return affine(a, 1 / b, 0); }
inline Tensor operator+(double a, const Tensor& b) { return affine(b, 1, a); }
inline Tensor operator-(double a, const Tensor& b) { return affine(b, -1, a); }
inline Tensor operator*(double a, const Tensor& b) { return affine(b, a, 0); }
inline Tensor operator-(const Tensor& a) { return affine(a, -1, 0); }

}  // namespace evenkeel
