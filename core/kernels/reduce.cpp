#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kLanes = 64;
constexpr std::int64_t kBlock = 1024;     ///< elements of a row added in T before going on in double
constexpr std::int64_t kRowBlock = 64;    ///< rows added in T before going on in double
constexpr std::int64_t kColumns = 256;    ///< columns worked on together
constexpr std::int64_t kPiece = 1 << 15;  ///< elements worth a hand-off

/// Sum of the lanes, halves first.
template <class T>
double sum_of_lanes(typename Simd<T>::Vector sum) {
  constexpr int kWidth = Simd<T>::kLanes;
  [&]<int... kHalvings>(std::integer_sequence<int, kHalvings...>) {
    ((sum += joined<T, (kWidth >> (kHalvings + 1))>(sum, sum)), ...);
  }
  (std::make_integer_sequence<int, std::countr_zero(static_cast<unsigned>(kWidth))>{});
  return static_cast<double>(sum[0]);
}

/// Sum of a contiguous block, in kLanes interleaved partial sums.
template <class T>
double sum_block(const T* x, std::int64_t n) {
  using S = Simd<T>;
  constexpr int kVectors = kLanes / S::kLanes;
  typename S::Vector sum[kVectors] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    fetch_ahead<kLanes>(x + i);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sum[v] += S::load(x + i + v * S::kLanes);
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v)
    if (i + v * S::kLanes < n) sum[v] += S::load_between(x, i + v * S::kLanes, 0, n);
#pragma GCC unroll 16
  for (int width = kVectors / 2; width > 0; width /= 2)
#pragma GCC unroll 16
    for (int v = 0; v < width; ++v) sum[v] += sum[v + width];
  return sum_of_lanes<T>(sum[0]);
}

/// Sum of a block of fewer than kLanes elements.
template <class T>
double sum_few(const T* x, std::int64_t n) {
  using S = Simd<T>;
  typename S::Vector sum = S::load_between(x, 0, 0, n);
  for (std::int64_t i = S::kLanes; i < n; i += S::kLanes) sum += S::load_between(x, i, 0, n);
  return sum_of_lanes<T>(sum);
}

template <class T>
double sum_row(const T* x, std::int64_t n) {
  if (n < kLanes) return sum_few(x, n);
  double total = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) total += sum_block(x + i, std::min(kBlock, n - i));
  return total;
}

/// total[j] = sum over rows of x (rows, ld)[j], j < columns <= kColumns.
template <class T>
void sum_columns(const T* x, std::int64_t rows, std::int64_t ld, std::int64_t columns, double* total) {
  std::fill_n(total, columns, 0.0);
  T block[kColumns];
  for (std::int64_t row = 0; row < rows; row += kRowBlock) {
    const std::int64_t end = std::min(rows, row + kRowBlock);
    std::copy_n(x + row * ld, columns, block);
    for (std::int64_t r = row + 1; r < end; ++r)
      for (std::int64_t j = 0; j < columns; ++j) block[j] += x[r * ld + j];
    for (std::int64_t j = 0; j < columns; ++j) total[j] += static_cast<double>(block[j]);
  }
}

template <class T>
void store(T alpha, double sum, T beta, T* y) {
  const T value = alpha * static_cast<T>(sum);
  *y = beta == T(0) ? value : value + beta * *y;
}

/// One long row: fixed pieces over the threads, added in order.
template <class T>
void sum_long_row(std::int64_t n, T alpha, const T* x, T beta, T* y) {
  const std::int64_t pieces = ceil_div(n, kPiece);
  std::vector<double> partial(static_cast<std::size_t>(pieces));
  detail::parallel_ranges(n, kPiece, [&](std::int64_t begin, std::int64_t end) {
    partial[static_cast<std::size_t>(begin / kPiece)] = sum_row(x + begin, end - begin);
  });
  double total = 0;
  for (const double part : partial) total += part;
  store(alpha, total, beta, y);
}

/// Few columns, many rows: fixed pieces of rows over the threads, added in order.
template <class T>
void sum_tall(std::int64_t n, std::int64_t inner, T alpha, const T* x, T beta, T* y) {
  const std::int64_t rows = std::max<std::int64_t>(1, kPiece / inner);
  const std::int64_t pieces = ceil_div(n, rows);
  detail::Workspace<double> partial(static_cast<std::size_t>(pieces * inner));
  detail::parallel_ranges(n, rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = 0; j < inner; j += kColumns)
      sum_columns(x + begin * inner + j, end - begin, inner, std::min(kColumns, inner - j),
                  partial.data() + begin / rows * inner + j);
  });
  for (std::int64_t j = 0; j < inner; ++j) {
    double total = 0;
    for (std::int64_t piece = 0; piece < pieces; ++piece) total += partial.data()[piece * inner + j];
    store(alpha, total, beta, y + j);
  }
}

}  // namespace

template <class T>
void sum_axis(std::int64_t outer, std::int64_t n, std::int64_t inner, T alpha, const T* x, T beta, T* y) {
  if (outer * inner == 0) return;
  const detail::FlushDenormals flush;
  if (n == 0) {
    for (std::int64_t i = 0; i < outer * inner; ++i) store(alpha, 0.0, beta, y + i);
    return;
  }
  if (outer == 1 && inner == 1) return sum_long_row(n, alpha, x, beta, y);
  if (outer == 1 && inner < 4 * kColumns) return sum_tall(n, inner, alpha, x, beta, y);
  if (inner == 1) {
    const std::int64_t grain = std::max<std::int64_t>(1, kPiece / n);
    detail::parallel_shares(outer, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) store(alpha, sum_row(x + i * n, n), beta, y + i);
    });
    return;
  }
  const std::int64_t tiles = ceil_div(inner, kColumns);
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / (n * std::min(inner, kColumns)));
  detail::parallel_shares(outer * tiles, grain, [&](std::int64_t begin, std::int64_t end) {
    double total[kColumns];
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t o = i / tiles;
      const std::int64_t j = i % tiles * kColumns;
      const std::int64_t columns = std::min(kColumns, inner - j);
      sum_columns(x + o * n * inner + j, n, inner, columns, total);
      for (std::int64_t c = 0; c < columns; ++c) store(alpha, total[c], beta, y + o * inner + j + c);
    }
  });
}

template <class T>
void sum_to_shape(std::span<const std::int64_t> from, std::span<const std::int64_t> to, const T* x, T beta,
                  T* y) {
  // Neighbouring axes that are all kept or all summed become one: sizes from the outermost, kept or not.
  struct Axis {
    std::int64_t size;
    bool kept;
  };
  std::vector<Axis> axes;
  const std::size_t extra = from.size() - to.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 1) continue;
    const bool kept = i >= extra && to[i - extra] == from[i];
    if (!axes.empty() && axes.back().kept == kept)
      axes.back().size *= from[i];
    else
      axes.push_back({from[i], kept});
  }
  if (std::none_of(axes.begin(), axes.end(), [](const Axis& axis) { return !axis.kept; })) {
    axes.insert(axes.begin(), {1, false});
  }
  // Sum one axis after another, innermost first; the last goes to y.
  auto summed =
      static_cast<int>(std::count_if(axes.begin(), axes.end(), [](const Axis& a) { return !a.kept; }));
  std::optional<detail::Workspace<T>> room[2];
  std::int64_t inner = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (axis->kept) {
      inner *= axis->size;
      continue;
    }
    std::int64_t outer = 1;
    for (auto before = axis + 1; before != axes.rend(); ++before) outer *= before->size;
    if (--summed == 0) {
      sum_axis(outer, axis->size, inner, T(1), x, beta, y);
    } else {
      T* next = room[summed % 2].emplace(static_cast<std::size_t>(outer * inner)).data();
      sum_axis(outer, axis->size, inner, T(1), x, T(0), next);
      x = next;
    }
  }
}

#define EVENKEEL_INSTANTIATE(T)                                                         \
  template void sum_axis(std::int64_t, std::int64_t, std::int64_t, T, const T*, T, T*); \
  template void sum_to_shape(std::span<const std::int64_t>, std::span<const std::int64_t>, const T*, T, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
