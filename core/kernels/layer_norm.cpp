#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/norm.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/kernels/turned_rows.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kPiece = 1 << 14;

std::int64_t rows_a_piece(std::int64_t size) {
  return std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(size, 1));
}

template <class F>
void each_row(std::int64_t rows, std::int64_t size, F&& f) {
  detail::parallel_shares(rows, rows_a_piece(size), [&](std::int64_t begin, std::int64_t end) {
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
        x, [=](auto read) { return read(gy) * read(weight); }, size, mean);
  else
    sums = gradient_sums(
        x, [=](auto read) { return read(gy); }, size, mean);
  const auto inverse = 1 / static_cast<double>(size);
  const T level = centered ? static_cast<T>(sums.gradient * inverse) : T(0);
  const T slope = static_cast<T>(sums.product * inverse) * rstd * rstd;
  for (std::int64_t i = 0; i < size; ++i) {
    const T scaled = weight != nullptr ? gy[i] * weight[i] : gy[i];
    const T value = rstd * (scaled - level - slope * (x[i] - mean));
    gx[i] = beta == T(0) ? value : value + gx[i];
  }
}

/// All gradients in one pass over long rows: pieces of rows add up their part of the parameters', which are
/// then added in order. mean is null for rms norm.
template <class T>
void backward_rows(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean,
                   const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias, T parameter_beta) {
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

// Short rows, as columns side by side: statistics are sums in double, as those of few elements are.

/// Rows up to these lengths are turned into columns; forward, layer norm gains longer, since it takes two
/// sums.
constexpr std::int64_t kShortRow = 31, kShortRowOfMean = 95;

bool is_short(std::int64_t size, std::int64_t most) { return 0 < size && size <= most; }

/// sum[j] = f(k, j) summed up over k < n.
template <class Count, class F>
void sum_columns(std::int64_t n, Count columns, double* sum, F&& f) {
  for (std::int64_t j = 0; j < columns; ++j) sum[j] = 0;
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) sum[j] += static_cast<double>(f(k, j));
}

/// Mean, if that is not null, and rstd of columns, the mean's deviation or the squares themselves.
template <class T, class Count>
void column_statistics(const T* x, std::int64_t n, Count columns, double eps, T* mean, T* rstd) {
  double center[kTurnedRows<T>] = {}, squares[kTurnedRows<T>];
  const auto count = static_cast<double>(n);
  if (mean != nullptr) {
    sum_columns(n, columns, center, [=](std::int64_t k, std::int64_t j) { return x[k * columns + j]; });
    for (std::int64_t j = 0; j < columns; ++j) mean[j] = static_cast<T>(center[j] /= count);
  }
  sum_columns(n, columns, squares, [&](std::int64_t k, std::int64_t j) {
    const double difference = static_cast<double>(x[k * columns + j]) - center[j];
    return difference * difference;
  });
  for (std::int64_t j = 0; j < columns; ++j)
    rstd[j] = static_cast<T>(1 / std::sqrt(squares[j] / count + eps));
}

/// Of rms norm if mean is null.
template <class T>
void forward_turned(std::int64_t rows, std::int64_t size, const T* x, const T* weight, const T* bias,
                    double eps, T* y, T* mean, T* rstd) {
  each_turned<T, 1>(rows, size, {x}, [=](std::int64_t first, auto columns, const auto& turned, T* to) {
    const T* in = turned[0];
    T center[kTurnedRows<T>] = {}, scale[kTurnedRows<T>];
    column_statistics(in, size, columns, eps, mean == nullptr ? nullptr : center, scale);
    for (std::int64_t k = 0; k < size; ++k) {
      const T factor = weight != nullptr ? weight[k] : T(1), offset = bias != nullptr ? bias[k] : T(0);
      for (std::int64_t j = 0; j < columns; ++j)
        to[k * columns + j] = (in[k * columns + j] - center[j]) * scale[j] * factor + offset;
    }
    turn_back<T>(to, size, columns, y + first * size, T(0));
    if (mean != nullptr) std::copy_n(center, static_cast<std::int64_t>(columns), mean + first);
    std::copy_n(scale, static_cast<std::int64_t>(columns), rstd + first);
  });
}

/// input_gradient() of columns.
template <class T, class Count>
void input_gradient_columns(std::int64_t size, Count columns, const T* x, const T* gy, const T* mean,
                            const T* rstd, const T* weight, bool centered, T* gx) {
  const auto scaled = [=](std::int64_t k, std::int64_t j) {
    return weight != nullptr ? gy[k * columns + j] * weight[k] : gy[k * columns + j];
  };
  double gradient[kTurnedRows<T>] = {}, product[kTurnedRows<T>];
  if (centered) sum_columns(size, columns, gradient, scaled);
  sum_columns(size, columns, product, [&](std::int64_t k, std::int64_t j) {
    return static_cast<double>(scaled(k, j)) *
           (static_cast<double>(x[k * columns + j]) - static_cast<double>(mean[j]));
  });
  T level[kTurnedRows<T>], slope[kTurnedRows<T>];
  const auto inverse = 1 / static_cast<double>(size);
  for (std::int64_t j = 0; j < columns; ++j) {
    level[j] = static_cast<T>(gradient[j] * inverse);
    slope[j] = static_cast<T>(product[j] * inverse) * rstd[j] * rstd[j];
  }
  for (std::int64_t k = 0; k < size; ++k)
    for (std::int64_t j = 0; j < columns; ++j)
      gx[k * columns + j] = rstd[j] * (scaled(k, j) - level[j] - slope[j] * (x[k * columns + j] - mean[j]));
}

/// The same as backward_rows(); parameters' gradients are summed up column by column in each piece of rows.
template <class T>
void backward_turned(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean,
                     const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias,
                     T parameter_beta) {
  const std::int64_t some = turned_rows_a_piece<T>(size), pieces = ceil_div(rows, some);
  const std::int64_t sums = size * kTurnedRows<T>;
  const std::int64_t of_weights = gweight != nullptr ? pieces * sums : 0;
  const std::int64_t of_biases = gbias != nullptr ? pieces * sums : 0;
  detail::Workspace<T> weights(static_cast<std::size_t>(of_weights));
  detail::Workspace<T> biases(static_cast<std::size_t>(of_biases));
  std::fill_n(weights.data(), of_weights, T(0));
  std::fill_n(biases.data(), of_biases, T(0));
  each_turned<T, 2>(rows, size, {x, gy}, [&](std::int64_t first, auto columns, const auto& turned, T* to) {
    const T *in = turned[0], *out = turned[1];
    T center[kTurnedRows<T>] = {}, scale[kTurnedRows<T>];
    if (mean != nullptr) std::copy_n(mean + first, static_cast<std::int64_t>(columns), center);
    std::copy_n(rstd + first, static_cast<std::int64_t>(columns), scale);
    if (gx != nullptr) {
      input_gradient_columns(size, columns, in, out, center, scale, weight, mean != nullptr, to);
      turn_back<T>(to, size, columns, gx + first * size, gx_beta);
    }
    for (std::int64_t k = 0; gweight != nullptr && k < size; ++k) {
      T* sum = weights.data() + first / some * sums + k * kTurnedRows<T>;
      for (std::int64_t j = 0; j < columns; ++j)
        sum[j] += out[k * columns + j] * ((in[k * columns + j] - center[j]) * scale[j]);
    }
    for (std::int64_t k = 0; gbias != nullptr && k < size; ++k) {
      T* sum = biases.data() + first / some * sums + k * kTurnedRows<T>;
      for (std::int64_t j = 0; j < columns; ++j) sum[j] += out[k * columns + j];
    }
  });
  const auto finish = [&](detail::Workspace<T>& parts, T* gradient) {
    if (gradient == nullptr) return;
    detail::Workspace<T> total(static_cast<std::size_t>(sums));
    sum_axis(1, pieces, sums, T(1), parts.data(), T(0), total.data());
    sum_axis(size, kTurnedRows<T>, 1, T(1), total.data(), parameter_beta, gradient);
  };
  finish(weights, gweight);
  finish(biases, gbias);
}

/// mean is null for rms norm.
template <class T>
void backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean, const T* rstd,
              const T* weight, T* gx, T gx_beta, T* gweight, T* gbias, T parameter_beta) {
  const auto by = is_short(size, kShortRow) ? backward_turned<T> : backward_rows<T>;
  by(rows, size, x, gy, mean, rstd, weight, gx, gx_beta, gweight, gbias, parameter_beta);
}

}  // namespace

template <class T>
void layer_norm_forward(std::int64_t rows, std::int64_t size, const T* x, const T* weight, const T* bias,
                        double eps, T* y, T* mean, T* rstd) {
  if (is_short(size, kShortRowOfMean)) return forward_turned(rows, size, x, weight, bias, eps, y, mean, rstd);
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
  if (is_short(size, kShortRow))
    return forward_turned<T>(rows, size, x, weight, nullptr, eps, y, nullptr, rstd);
  each_row(rows, size, [&](std::int64_t row) {
    const T* in = x + row * size;
    double squares = 0;
    for (std::int64_t begin = 0; begin < size; begin += kMomentBlock)
      squares +=
          static_cast<double>(vector_sums<T, 1>(begin, std::min(begin + kMomentBlock, size), [=](auto read) {
            return std::array{read(in) * read(in)};
          })[0]);
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
