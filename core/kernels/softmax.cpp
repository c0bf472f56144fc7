#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/softmax.h>
#include <evenkeel/core/kernels/vmath.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kColumns = 128;  ///< columns worked on together
constexpr std::int64_t kPiece = 1 << 14;

/// Calls f(offset of the first element, columns <= kColumns) for blocks of neighbouring columns; the n
/// elements of a column are `inner` apart.
template <class F>
void each_block(std::int64_t outer, std::int64_t n, std::int64_t inner, F&& f) {
  if (outer * n * inner == 0) return;
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns;
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / (n * std::min(inner, kColumns)));
  detail::parallel_ranges(outer * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % blocks * kColumns;
      f(i / blocks * n * inner + column, std::min(kColumns, inner - column));
    }
  });
}

template <class T>
void largest(const T* x, std::int64_t n, std::int64_t inner, std::int64_t columns, T* top) {
  std::copy_n(x, columns, top);
  for (std::int64_t k = 1; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) top[j] = x[k * inner + j] > top[j] ? x[k * inner + j] : top[j];
}

/// Calls f(first element) for each of `rows` rows of n neighbouring elements.
template <class F>
void each_row(std::int64_t rows, std::int64_t n, F&& f) {
  detail::parallel_ranges(rows, std::max<std::int64_t>(1, kPiece / n),
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t row = begin; row < end; ++row) f(row * n);
                          });
}

/// Rows at least this long are worked on one by one, along the row.
constexpr std::int64_t kLongRow = kMomentLanes;

template <class T>
T largest_of_row(const T* x, std::int64_t n) {
  T top[kMomentLanes];
  std::copy_n(x, kMomentLanes, top);
  std::int64_t i = kMomentLanes;
  for (; i + kMomentLanes <= n; i += kMomentLanes)
    for (std::int64_t lane = 0; lane < kMomentLanes; ++lane)
      top[lane] = x[i + lane] > top[lane] ? x[i + lane] : top[lane];
  for (; i < n; ++i) top[0] = x[i] > top[0] ? x[i] : top[0];
  return *std::max_element(top, top + kMomentLanes);
}

}  // namespace

template <class T>
void softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
  if (inner == 1 && n >= kLongRow)
    return each_row(outer, n, [&](std::int64_t at) {
      const T top = largest_of_row(x + at, n);
      const T sum = sum_lanes<T>(
          n, [=](std::int64_t i) { return y[at + i] = vmath::exp_of_negative(x[at + i] - top); });
      const T scale = T(1) / sum;
      for (std::int64_t i = at; i < at + n; ++i) y[i] *= scale;
    });
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T top[kColumns];
    T sum[kColumns] = {};
    largest(x + at, n, inner, columns, top);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) {
        const T e = vmath::exp_of_negative(x[at + k * inner + j] - top[j]);
        y[at + k * inner + j] = e;
        sum[j] += e;
      }
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) y[at + k * inner + j] /= sum[j];
  });
}

template <class T>
void softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy, T* gx,
                      T beta) {
  if (inner == 1 && n >= kLongRow)
    return each_row(outer, n, [&](std::int64_t at) {
      const T dot = sum_lanes<T>(n, [=](std::int64_t i) { return gy[at + i] * y[at + i]; });
      for (std::int64_t i = at; i < at + n; ++i) {
        const T value = y[i] * (gy[i] - dot);
        gx[i] = beta == T(0) ? value : value + gx[i];
      }
    });
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T dot[kColumns] = {};
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) dot[j] += gy[at + k * inner + j] * y[at + k * inner + j];
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t i = at + k * inner + j;
        const T value = y[i] * (gy[i] - dot[j]);
        gx[i] = beta == T(0) ? value : value + gx[i];
      }
  });
}

template <class T>
void log_softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
  if (inner == 1 && n >= kLongRow)
    return each_row(outer, n, [&](std::int64_t at) {
      const T top = largest_of_row(x + at, n);
      const T shift = top + vmath::log(sum_lanes<T>(
                                n, [=](std::int64_t i) { return vmath::exp_of_negative(x[at + i] - top); }));
      for (std::int64_t i = at; i < at + n; ++i) y[i] = x[i] - shift;
    });
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T top[kColumns];
    T sum[kColumns] = {};
    largest(x + at, n, inner, columns, top);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j)
        sum[j] += vmath::exp_of_negative(x[at + k * inner + j] - top[j]);
    for (std::int64_t j = 0; j < columns; ++j) sum[j] = vmath::log(sum[j]);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j)
        y[at + k * inner + j] = x[at + k * inner + j] - top[j] - sum[j];
  });
}

template <class T>
void log_softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy,
                          T* gx, T beta) {
  if (inner == 1 && n >= kLongRow)
    return each_row(outer, n, [&](std::int64_t at) {
      const T sum = sum_lanes<T>(n, [=](std::int64_t i) { return gy[at + i]; });
      for (std::int64_t i = at; i < at + n; ++i) {
        const T value = gy[i] - vmath::exp_of_negative(y[i]) * sum;
        gx[i] = beta == T(0) ? value : value + gx[i];
      }
    });
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T sum[kColumns] = {};
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) sum[j] += gy[at + k * inner + j];
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t i = at + k * inner + j;
        const T value = gy[i] - vmath::exp_of_negative(y[i]) * sum[j];
        gx[i] = beta == T(0) ? value : value + gx[i];
      }
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                                        \
  template void softmax_forward(std::int64_t, std::int64_t, std::int64_t, const T*, T*);               \
  template void softmax_backward(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*, T); \
  template void log_softmax_forward(std::int64_t, std::int64_t, std::int64_t, const T*, T*);           \
  template void log_softmax_backward(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
