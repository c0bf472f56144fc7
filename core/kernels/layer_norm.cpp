#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/norm.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kPiece = 1 << 14;

std::int64_t rows_a_piece(std::int64_t size) {
  return std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(size, 1));
}

template <class F>
void each_row(std::int64_t rows, std::int64_t size, F&& f) {
  detail::parallel_ranges(rows, rows_a_piece(size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row);
  });
}

/// y = (x - mean) * rstd * weight + bias over a row.
template <class T>
void apply(std::int64_t size, const T* x, T mean, T rstd, const T* weight, const T* bias, T* y) {
  if (weight != nullptr && bias != nullptr) {
    for (std::int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
  } else if (weight != nullptr) {
    for (std::int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * rstd * weight[i];
  } else if (bias != nullptr) {
    for (std::int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * rstd + bias[i];
  } else {
    for (std::int64_t i = 0; i < size; ++i) y[i] = (x[i] - mean) * rstd;
  }
}

/// gx = rstd * (w gy - level - slope * (x - mean)) over a row, level and slope from the sums of the row.
template <class T>
void input_gradient(std::int64_t size, const T* x, const T* gy, T mean, T rstd, const T* weight,
                    bool centered, T* gx, T beta) {
  GradientSums sums;
  if (weight != nullptr)
    sums = gradient_sums(
        x, [=](std::int64_t i) { return gy[i] * weight[i]; }, size, mean);
  else
    sums = gradient_sums(
        x, [=](std::int64_t i) { return gy[i]; }, size, mean);
  const auto inverse = 1 / static_cast<double>(size);
  const T level = centered ? static_cast<T>(sums.gradient * inverse) : T(0);
  const T slope = static_cast<T>(sums.product * inverse) * rstd * rstd;
  for (std::int64_t i = 0; i < size; ++i) {
    const T scaled = weight != nullptr ? gy[i] * weight[i] : gy[i];
    const T value = rstd * (scaled - level - slope * (x[i] - mean));
    gx[i] = beta == T(0) ? value : value + gx[i];
  }
}

/// All gradients in one pass over the rows: pieces of rows add up their part of the parameters', which are
/// then added in order. mean is null for rms norm.
template <class T>
void backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean, const T* rstd,
              const T* weight, T* gx, T gx_beta, T* gweight, T* gbias, T parameter_beta) {
  constexpr std::int64_t kLeastRows = 8, kMostRows = 64;
  const std::int64_t some = std::clamp(rows_a_piece(size), kLeastRows, kMostRows);
  const std::int64_t pieces = ceil_div(rows, some);
  detail::Workspace<T> weights(gweight != nullptr ? static_cast<std::size_t>(pieces * size) : 0);
  detail::Workspace<T> biases(gbias != nullptr ? static_cast<std::size_t>(pieces * size) : 0);
  detail::parallel_ranges(rows, some, [&](std::int64_t begin, std::int64_t end) {
    T* of_weight = weights.data() + begin / some * size;
    T* of_bias = biases.data() + begin / some * size;
    if (gweight != nullptr) std::fill_n(of_weight, size, T(0));
    if (gbias != nullptr) std::fill_n(of_bias, size, T(0));
    for (std::int64_t row = begin; row < end; ++row) {
      const T center = mean != nullptr ? mean[row] : T(0);
      const T scale = rstd[row];
      const T* in = x + row * size;
      const T* out = gy + row * size;
      if (gx != nullptr)
        input_gradient(size, in, out, center, scale, weight, mean != nullptr, gx + row * size, gx_beta);
      if (gweight != nullptr)
        for (std::int64_t i = 0; i < size; ++i) of_weight[i] += out[i] * ((in[i] - center) * scale);
      if (gbias != nullptr)
        for (std::int64_t i = 0; i < size; ++i) of_bias[i] += out[i];
    }
  });
  if (gweight != nullptr) sum_axis(1, pieces, size, T(1), weights.data(), parameter_beta, gweight);
  if (gbias != nullptr) sum_axis(1, pieces, size, T(1), biases.data(), parameter_beta, gbias);
}

}  // namespace

template <class T>
void layer_norm_forward(std::int64_t rows, std::int64_t size, const T* x, const T* weight, const T* bias,
                        double eps, T* y, T* mean, T* rstd) {
  each_row(rows, size, [&](std::int64_t row) {
    const Moments m = moments_of(x + row * size, size);
    mean[row] = static_cast<T>(m.mean);
    rstd[row] = static_cast<T>(1 / std::sqrt(m.variance() + eps));
    apply(size, x + row * size, mean[row], rstd[row], weight, bias, y + row * size);
  });
}

template <class T>
void layer_norm_backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean,
                         const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias,
                         T parameter_beta) {
  backward(rows, size, x, gy, mean, rstd, weight, gx, gx_beta, gweight, gbias, parameter_beta);
}

template <class T>
void rms_norm_forward(std::int64_t rows, std::int64_t size, const T* x, const T* weight, double eps, T* y,
                      T* rstd) {
  each_row(rows, size, [&](std::int64_t row) {
    const T* in = x + row * size;
    double squares = 0;
    for (std::int64_t begin = 0; begin < size; begin += kMomentBlock)
      squares += static_cast<double>(sum_lanes<T>(std::min(kMomentBlock, size - begin), [=](std::int64_t i) {
        return in[begin + i] * in[begin + i];
      }));
    rstd[row] =
        static_cast<T>(1 / std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(size, 1)) + eps));
    apply<T>(size, in, T(0), rstd[row], weight, nullptr, y + row * size);
  });
}

template <class T>
void rms_norm_backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* rstd,
                       const T* weight, T* gx, T gx_beta, T* gweight, T parameter_beta) {
  backward<T>(rows, size, x, gy, nullptr, rstd, weight, gx, gx_beta, gweight, nullptr, parameter_beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                                              \
  template void layer_norm_forward(std::int64_t, std::int64_t, const T*, const T*, const T*, double, T*, T*, \
                                   T*);                                                                      \
  template void layer_norm_backward(std::int64_t, std::int64_t, const T*, const T*, const T*, const T*,      \
                                    const T*, T*, T, T*, T*, T);                                             \
  template void rms_norm_forward(std::int64_t, std::int64_t, const T*, const T*, double, T*, T*);            \
  template void rms_norm_backward(std::int64_t, std::int64_t, const T*, const T*, const T*, const T*, T*, T, \
                                  T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
