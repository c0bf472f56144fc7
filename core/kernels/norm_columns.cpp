#include <evenkeel/core/kernels/norm_columns.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kPiece = 1 << 14;
constexpr std::int64_t kColumns = 128;  ///< summed up together, over kRows rows
constexpr std::int64_t kRows = 32;

/// totals[k * channels + c]: kSums sums over channel c, in double. add(at, column, count, sums) adds what
/// elements at … of `count` columns give to sums[k][0 …].
template <int kSums, class Add>
void channel_sums(const NormGeometry& g, double* totals, Add&& add) {
  const std::int64_t columns = g.channels * g.size, strips = ceil_div(columns, kColumns);
  const std::int64_t chunks = ceil_div(g.batch, kRows);
  if (chunks == 0) {
    std::fill_n(totals, kSums * g.channels, 0.0);
    return;
  }
  detail::Workspace<double> partial(static_cast<std::size_t>(chunks * kSums * columns));
  const std::int64_t grain =
      std::max<std::int64_t>(1, kPiece / (std::clamp<std::int64_t>(g.batch, 1, kRows) * kColumns));
  detail::parallel_shares(chunks * strips, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t chunk = i / strips, column = i % strips * kColumns;
      const std::int64_t count = std::min(kColumns, columns - column);
      double sums[kSums][kColumns] = {};
      for (std::int64_t row = chunk * kRows; row < std::min((chunk + 1) * kRows, g.batch); ++row)
        add(row * columns + column, column, count, sums);
      for (int k = 0; k < kSums; ++k)
        std::copy_n(sums[k], count, partial.data() + (chunk * kSums + k) * columns + column);
    }
  });
  for (std::int64_t k = 0; k < kSums; ++k) {
    double* sums = partial.data() + k * columns;
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk)
      for (std::int64_t i = 0; i < columns; ++i) sums[i] += sums[chunk * kSums * columns + i];
    if (g.size == 1) {
      std::copy_n(sums, g.channels, totals + k * g.channels);
      continue;
    }
    for (std::int64_t c = 0; c < g.channels; ++c)
      totals[k * g.channels + c] = std::accumulate(sums + c * g.size, sums + (c + 1) * g.size, 0.0);
  }
}

/// Calls f(at) for the first element of each item.
template <class F>
void each_item(const NormGeometry& g, F&& f) {
  const std::int64_t columns = g.channels * g.size;
  detail::parallel_shares(g.batch, std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(columns, 1)),
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t n = begin; n < end; ++n) f(n * columns);
                          });
}

/// Calls f with the gradient of the norm's output as a function of x, gy and the column.
template <class T, class F>
void with_gradient(const ColumnLines<T>& lines, bool activated, F&& f) {
  if (activated)
    f([=](T x, T gy, std::int64_t j) { return lines(x, j) > 0 ? gy : gy * lines.slope[j]; });
  else
    f([](T, T gy, std::int64_t) { return gy; });
}

}  // namespace

bool norm_columns_pay(const NormGeometry& g) {
  constexpr std::int64_t kShort = 50;
  return g.groups == 0 && g.size <= kShort;
}

template <class T>
void column_moments(const NormGeometry& g, const T* x, T* mean, T* variance) {
  const auto inverse = 1 / static_cast<double>(std::max<std::int64_t>(g.elements(), 1));
  ScratchVector<double> totals(static_cast<std::size_t>(g.channels));
  channel_sums<1>(g, totals.data(), [=](std::int64_t at, std::int64_t, std::int64_t count, auto& sums) {
    for (std::int64_t j = 0; j < count; ++j) sums[0][j] += static_cast<double>(x[at + j]);
  });
  detail::Workspace<double> center(static_cast<std::size_t>(g.channels * g.size));
  for (std::int64_t c = 0; c < g.channels; ++c) {
    mean[c] = static_cast<T>(totals[c] * inverse);
    for (std::int64_t i = 0; i < g.size; ++i) center.data()[c * g.size + i] = totals[c] * inverse;
  }
  channel_sums<1>(
      g, totals.data(),
      [=, center = center.data()](std::int64_t at, std::int64_t column, std::int64_t count, auto& sums) {
        for (std::int64_t j = 0; j < count; ++j) {
          const double off = static_cast<double>(x[at + j]) - center[column + j];
          sums[0][j] += off * off;
        }
      });
  for (std::int64_t c = 0; c < g.channels; ++c) variance[c] = static_cast<T>(totals[c] * inverse);
}

template <class T>
void column_forward(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, T* y,
                    typename NormActivation<T>::Kind then) {
  using Kind = typename NormActivation<T>::Kind;
  const std::int64_t columns = g.channels * g.size;
  each_item(g, [=](std::int64_t at) {
    const T* in = x + at;
    T* out = y + at;
    const auto write = [=](auto activate) {
#pragma GCC ivdep
      for (std::int64_t j = 0; j < columns; ++j) out[j] = activate(lines(in[j], j), j);
    };
    if (then == Kind::none)
      write([](T z, std::int64_t) { return z; });
    else if (then == Kind::relu)
      write([](T z, std::int64_t) { return z < 0 ? T(0) : z; });
    else
      write([slope = lines.slope](T z, std::int64_t j) { return z > 0 ? z : slope[j] * z; });
  });
}

template <class T>
void column_gradient_sums(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, const T* gy,
                          bool activated, GradientSums* sums, double* slope_sums) {
  ScratchVector<double> totals(static_cast<std::size_t>(2 * g.channels));
  with_gradient(lines, activated, [&](auto gradient) {
    channel_sums<2>(g, totals.data(),
                    [=](std::int64_t at, std::int64_t column, std::int64_t count, auto& some) {
                      for (std::int64_t j = 0; j < count; ++j) {
                        const auto value = static_cast<double>(gradient(x[at + j], gy[at + j], column + j));
                        const auto center = static_cast<double>(lines.center[column + j]);
                        some[0][j] += value;
                        some[1][j] += value * (static_cast<double>(x[at + j]) - center);
                      }
                    });
  });
  for (std::int64_t c = 0; c < g.channels; ++c) sums[c] = {totals[c], totals[g.channels + c]};
  if (slope_sums == nullptr) return;
  channel_sums<1>(g, slope_sums, [=](std::int64_t at, std::int64_t column, std::int64_t count, auto& some) {
    for (std::int64_t j = 0; j < count; ++j) {
      const T z = lines(x[at + j], column + j);
      some[0][j] += static_cast<double>(gy[at + j] * (z > 0 ? T(0) : z));
    }
  });
}

template <class T>
void column_input_grad(const NormGeometry& g, const ColumnLines<T>& lines, const T* x, const T* gy,
                       bool activated, const T* slope, const T* level, T* gx, T beta) {
  const std::int64_t columns = g.channels * g.size;
  with_gradient(lines, activated, [&](auto gradient) {
    each_item(g, [=](std::int64_t at) {
      const T *in = x + at, *out = gy + at;
      T* to = gx + at;
#pragma GCC ivdep
      for (std::int64_t j = 0; j < columns; ++j) {
        const T value =
            lines.scale[j] * gradient(in[j], out[j], j) - slope[j] * (in[j] - lines.center[j]) - level[j];
        to[j] = beta == T(0) ? value : value + to[j];
      }
    });
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                                            \
  template void column_moments(const NormGeometry&, const T*, T*, T*);                                     \
  template void column_forward(const NormGeometry&, const ColumnLines<T>&, const T*, T*,                   \
                               NormActivation<T>::Kind);                                                   \
  template void column_gradient_sums(const NormGeometry&, const ColumnLines<T>&, const T*, const T*, bool, \
                                     GradientSums*, double*);                                              \
  template void column_input_grad(const NormGeometry&, const ColumnLines<T>&, const T*, const T*, bool,    \
                                  const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
