#include <evenkeel/core/kernels/softmax.h>
#include <evenkeel/core/kernels/turned_rows.h>
#include <evenkeel/core/kernels/vmath.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <array>
#include <type_traits>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kColumns = 128;  ///< columns worked on together
constexpr std::int64_t kPiece = 1 << 13;

/// Calls f(first column, offset of its first element, columns <= kColumns) for blocks of neighbouring columns
/// of the outer * inner; the n elements of a column are `inner` apart.
template <class F>
void each_block(std::int64_t outer, std::int64_t n, std::int64_t inner, F&& f) {
  const std::int64_t blocks = (inner + kColumns - 1) / kColumns;
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / (n * std::min(inner, kColumns)));
  detail::parallel_shares(outer * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % blocks * kColumns;
      const std::int64_t first = i / blocks * inner;
      f(first + column, first * n + column, std::min(kColumns, inner - column));
    }
  });
}

constexpr std::int64_t kRows = 16;  ///< worked on together

/// Calls f(first element, number of rows <= kRows) for `rows` rows of n neighbouring elements, as many at a
/// time as stay in the L1 cache.
template <class F>
void each_rows(std::int64_t rows, std::int64_t n, F&& f) {
  const std::int64_t some = std::clamp<std::int64_t>(kPiece / n, 1, kRows);
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / (some * n));
  detail::parallel_shares(ceil_div(rows, some), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * some; i < std::min(end * some, rows); i += some)
      f(i * n, std::min(some, rows - i));
  });
}

/// Rows up to this length are turned into columns.
constexpr std::int64_t kShortRow = 200;

template <int kWidth, class T, class Fold>
T fold_lanes(T* lanes, Fold&& fold) {
  for (int lane = 0; lane < kWidth; ++lane) lanes[lane] = fold(lanes[lane], lanes[lane + kWidth]);
  if constexpr (kWidth > 1) return fold_lanes<kWidth / 2>(lanes, fold);
  return lanes[0];
}

/// f(i) of all i in [0, n), folded onto `start` in kLanes interleaved parts.
template <class T, class F, class Fold>
T fold_row(std::int64_t n, T start, F&& f, Fold&& fold) {
  constexpr int kLanes = 32;
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC ivdep
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = fold(lanes[lane], f(i + lane));
  for (int lane = 0; i + lane < n; ++lane) lanes[lane] = fold(lanes[lane], f(i + lane));
  return fold_lanes<kLanes / 2>(lanes, fold);
}

template <class T>
T largest_of_row(const T* x, std::int64_t n) {
  return fold_row(
      n, x[0], [=](std::int64_t i) { return x[i]; }, [](T a, T b) { return b > a ? b : a; });
}

template <class T, class F>
T sum_of_row(std::int64_t n, F&& f) {
  return fold_row(n, T(0), f, [](T a, T b) { return a + b; });
}

// Columns side by side, `inner` apart from element to element. `Count` is a number, or a constant that the
// loops are unrolled for.

template <class T, class Count>
void largest(const T* x, std::int64_t n, std::int64_t inner, Count columns, T* top) {
  std::copy_n(x, static_cast<std::int64_t>(columns), top);
  for (std::int64_t k = 1; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) top[j] = x[k * inner + j] > top[j] ? x[k * inner + j] : top[j];
}

template <class T, class Count>
void softmax_columns(const T* x, std::int64_t n, std::int64_t inner, Count columns, T* y) {
  T top[kColumns];
  T sum[kColumns] = {};
  largest(x, n, inner, columns, top);
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) {
      const T e = vmath::exp_of_negative(x[k * inner + j] - top[j]);
      y[k * inner + j] = e;
      sum[j] += e;
    }
  for (std::int64_t j = 0; j < columns; ++j) sum[j] = T(1) / sum[j];
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) y[k * inner + j] *= sum[j];
}

template <class T, class Count>
void softmax_grad_columns(const T* y, const T* gy, std::int64_t n, std::int64_t inner, Count columns, T* gx,
                          T beta) {
  T dot[kColumns] = {};
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) dot[j] += gy[k * inner + j] * y[k * inner + j];
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) {
      const T value = y[k * inner + j] * (gy[k * inner + j] - dot[j]);
      gx[k * inner + j] = beta == T(0) ? value : value + gx[k * inner + j];
    }
}

template <class T, class Count>
void log_sum_columns(const T* x, std::int64_t n, std::int64_t inner, Count columns, T* top, T* log_sum) {
  largest(x, n, inner, columns, top);
  T sum[kColumns] = {};
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) sum[j] += vmath::exp_of_negative(x[k * inner + j] - top[j]);
  for (std::int64_t j = 0; j < columns; ++j) log_sum[j] = vmath::log(sum[j]);
}

template <class T, class Count>
void log_softmax_columns(const T* x, std::int64_t n, std::int64_t inner, Count columns, T* y) {
  T top[kColumns], sum[kColumns];
  log_sum_columns(x, n, inner, columns, top, sum);
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) y[k * inner + j] = x[k * inner + j] - top[j] - sum[j];
}

/// Of up to kRows rows.
template <class T>
void log_sum_rows(const T* x, std::int64_t n, std::int64_t rows, T* top, T* log_sum) {
  T sum[kRows] = {};
  for (std::int64_t r = 0; r < rows; ++r, x += n) {
    top[r] = largest_of_row(x, n);
    sum[r] =
        sum_of_row<T>(n, [=, top = top[r]](std::int64_t i) { return vmath::exp_of_negative(x[i] - top); });
  }
  for (T& value : sum) value = vmath::log(value);
  std::copy_n(sum, rows, log_sum);
}

template <class T, class Count>
void log_softmax_grad_columns(const T* y, const T* gy, std::int64_t n, std::int64_t inner, Count columns,
                              T* gx, T beta) {
  T sum[kColumns] = {};
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) sum[j] += gy[k * inner + j];
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t j = 0; j < columns; ++j) {
      const T value = gy[k * inner + j] - vmath::exp_of_negative(y[k * inner + j]) * sum[j];
      gx[k * inner + j] = beta == T(0) ? value : value + gx[k * inner + j];
    }
}

/// Calls columns(sources, distance of a column's elements, number of columns, result, beta) where columns lie
/// side by side or short rows are turned, and rows(first element, number of rows) for some long rows at a
/// time.
template <class T, std::size_t kSources, class Columns, class Rows>
void each_sequence(std::int64_t outer, std::int64_t n, std::int64_t inner,
                   const std::array<const T*, kSources>& from, T* to, T beta, Columns&& columns,
                   Rows&& rows) {
  if (outer * n * inner == 0) return;
  if (inner > 1)
    return each_block(outer, n, inner, [&](std::int64_t, std::int64_t at, std::int64_t count) {
      auto block = from;
      for (const T*& source : block) source += at;
      columns(block, inner, count, to + at, beta);
    });
  if (n <= kShortRow)
    return each_turned(outer, n, from, [&](std::int64_t first, auto count, const auto& turned, T* result) {
      columns(turned, count, count, result, T(0));
      turn_back<T>(result, n, count, to + first * n, beta);
    });
  each_rows(outer, n, rows);
}

}  // namespace

template <class T>
void softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
  each_sequence<T, 1>(
      outer, n, inner, {x}, y, T(0),
      [n](const auto& from, std::int64_t distance, auto count, T* to, T) {
        softmax_columns(from[0], n, distance, count, to);
      },
      [=](std::int64_t at, std::int64_t rows) {
        for (std::int64_t end = at + rows * n; at < end; at += n) {
          const T top = largest_of_row(x + at, n);
          const T sum = sum_of_row<T>(
              n, [=](std::int64_t i) { return y[at + i] = vmath::exp_of_negative(x[at + i] - top); });
          const T scale = T(1) / sum;
          for (std::int64_t i = at; i < at + n; ++i) y[i] *= scale;
        }
      });
}

template <class T>
void softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy, T* gx,
                      T beta) {
  each_sequence<T, 2>(
      outer, n, inner, {y, gy}, gx, beta,
      [n](const auto& from, std::int64_t distance, auto count, T* to, T factor) {
        softmax_grad_columns(from[0], from[1], n, distance, count, to, factor);
      },
      [=](std::int64_t at, std::int64_t rows) {
        for (std::int64_t end = at + rows * n; at < end; at += n) {
          const T dot = sum_of_row<T>(n, [=](std::int64_t i) { return gy[at + i] * y[at + i]; });
          for (std::int64_t i = at; i < at + n; ++i) {
            const T value = y[i] * (gy[i] - dot);
            gx[i] = beta == T(0) ? value : value + gx[i];
          }
        }
      });
}

template <class T>
void log_sum_exp(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* largest, T* log_sum) {
  if (outer * n * inner == 0) return;
  if (inner > 1)
    return each_block(outer, n, inner, [=](std::int64_t column, std::int64_t at, std::int64_t count) {
      log_sum_columns(x + at, n, inner, count, largest + column, log_sum + column);
    });
  if (n <= kShortRow)
    return each_turned<T, 1>(outer, n, {x}, [=](std::int64_t first, auto count, const auto& turned, T*) {
      log_sum_columns(turned[0], n, count, count, largest + first, log_sum + first);
    });
  each_rows(outer, n, [=](std::int64_t at, std::int64_t rows) {
    log_sum_rows(x + at, n, rows, largest + at / n, log_sum + at / n);
  });
}

template <class T>
void log_softmax_forward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
  each_sequence<T, 1>(
      outer, n, inner, {x}, y, T(0),
      [n](const auto& from, std::int64_t distance, auto count, T* to, T) {
        log_softmax_columns(from[0], n, distance, count, to);
      },
      [=](std::int64_t at, std::int64_t rows) {
        T top[kRows], sum[kRows];
        log_sum_rows(x + at, n, rows, top, sum);
        for (std::int64_t r = 0; r < rows; ++r, at += n)
          for (std::int64_t i = at; i < at + n; ++i) y[i] = x[i] - top[r] - sum[r];
      });
}

template <class T>
void log_softmax_backward(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* y, const T* gy,
                          T* gx, T beta) {
  each_sequence<T, 2>(
      outer, n, inner, {y, gy}, gx, beta,
      [n](const auto& from, std::int64_t distance, auto count, T* to, T factor) {
        log_softmax_grad_columns(from[0], from[1], n, distance, count, to, factor);
      },
      [=](std::int64_t at, std::int64_t rows) {
        for (std::int64_t end = at + rows * n; at < end; at += n) {
          const T sum = sum_of_row<T>(n, [=](std::int64_t i) { return gy[at + i]; });
          for (std::int64_t i = at; i < at + n; ++i) {
            const T value = gy[i] - vmath::exp_of_negative(y[i]) * sum;
            gx[i] = beta == T(0) ? value : value + gx[i];
          }
        }
      });
}

#define EVENKEEL_INSTANTIATE(T)                                                                        \
  template void softmax_forward(std::int64_t, std::int64_t, std::int64_t, const T*, T*);               \
  template void softmax_backward(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*, T); \
  template void log_sum_exp(std::int64_t, std::int64_t, std::int64_t, const T*, T*, T*);               \
  template void log_softmax_forward(std::int64_t, std::int64_t, std::int64_t, const T*, T*);           \
  template void log_softmax_backward(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
