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

}  // namespace

template <class T>
void softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T top[kColumns];
    T sum[kColumns] = {};
    largest(x + at, n, inner, columns, top);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) {
        const T e = vmath::exp(x[at + k * inner + j] - top[j]);
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
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T top[kColumns];
    T sum[kColumns] = {};
    largest(x + at, n, inner, columns, top);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) sum[j] += vmath::exp(x[at + k * inner + j] - top[j]);
    for (std::int64_t j = 0; j < columns; ++j) sum[j] = vmath::log(sum[j]);
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j)
        y[at + k * inner + j] = x[at + k * inner + j] - top[j] - sum[j];
  });
}

template <class T>
void log_softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy,
                          T* gx, T beta) {
  each_block(outer, n, inner, [&](std::int64_t at, std::int64_t columns) {
    T sum[kColumns] = {};
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) sum[j] += gy[at + k * inner + j];
    for (std::int64_t k = 0; k < n; ++k)
      for (std::int64_t j = 0; j < columns; ++j) {
        const std::int64_t i = at + k * inner + j;
        const T value = gy[i] - vmath::exp(y[i]) * sum[j];
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
