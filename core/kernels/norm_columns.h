#pragma once

#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/norm.h>

#include <cstdint>

/// Batch norm of short rows: an item's channels lie side by side, and loops run along all of them.
namespace evenkeel::kernels {

/// Whether rows are so short that this pays.
bool norm_columns_pay(const NormGeometry& g);

/// moments() of `g`.
template <class T>
void column_moments(const NormGeometry& g, const T* x, T* mean, T* variance);

/// The numbers of each column: a norm's output is (x - center) * scale + shift, `slope` that of a PReLU
/// behind it (0 of a ReLU).
template <class T>
struct ColumnLines {
  const T *center, *scale, *shift, *slope;

  T operator()(T x, std::int64_t column) const {
    return (x - center[column]) * scale[column] + shift[column];
  }
};

/// normalize_forward() of `g`.
template <class T>
void column_forward(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, T* y,
                    typename NormActivation<T>::Kind then);

/// By channel: sums of the gradient of the norm's output, and of it times x - center; with slope_sums those
/// of gy times what a PReLU got below 0.
template <class T>
void column_gradient_sums(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, const T* gy,
                          bool activated, GradientSums* sums, double* slope_sums);

/// gx = scale * gradient - slope * (x - center) - level + beta * gx, slope and level by column.
template <class T>
void column_input_grad(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, const T* gy,
                       bool activated, const T* slope, const T* level, T* gx, T beta);

}  // namespace evenkeel::kernels
