#include <evenkeel/core/kernels/conv_micro.h>

#include <array>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace evenkeel::kernels::micro {

namespace {

/// Whether all rows from `first` on, `ld` apart, begin where a vector would in an aligned array.
template <class T>
bool on_lines(const T* first, std::int64_t ld) {
  return reinterpret_cast<std::uintptr_t>(first) % kVectorBytes == 0 && ld % Simd<T>::kLanes == 0;
}

template <class T, int kRows, int kVectors>
void output_block_of(std::int64_t k, const T* a, const std::int32_t* offset, const T* tile,
                     const Lanes* lanes, T* c, std::int64_t ldc, const T* bias, bool accumulate) {
  using S = Simd<T>;
  typename S::Vector sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[r][v] = (bias != nullptr ? bias[r] : T(0)) - typename S::Vector{};
  std::int64_t at[kVectors];
  for (int v = 0; v < kVectors; ++v) at[v] = lanes[v].source - lanes[0].source;
  tile += lanes[0].source;
  const auto fetch = [&](const T* to) {
    for (int r = 0; r < kRows; ++r, to += ldc) __builtin_prefetch(to, 1);
  };
  for (int v = 0; v < kVectors; ++v) fetch(c + lanes[v].target);
  // The last vector of a row that begins within a line of the cache ends in another line.
  const T* last = c + lanes[kVectors - 1].target;
  if (!on_lines(last, ldc)) fetch(last + S::kLanes - 1);
  for (std::int64_t p = 0; p < k; ++p) {
    const T* cells = tile + offset[p];
    typename S::Vector x[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) x[v] = S::load(cells + at[v]);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[r][v] += a[r] * x[v];
    a += kRows;
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    T* to = c + lanes[v].target;
    const std::int32_t count = lanes[v].count;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r, to += ldc) {
      if (accumulate) sum[r][v] += S::load_between(to, 0, 0, count);
      S::store_some(to, sum[r][v], count);
    }
  }
}

/// Sums of `positions` times `vectors`, from `start` or what is there, back to `sum`: add(cell, a) adds the
/// products of one step to them, each_step(add) calls it for all. Inlined by force: a call costs short sums 5
/// to 15 %.
template <int kPositions, int kVectors, int kStep, class EachStep>
[[gnu::always_inline]] inline void position_sums(const float* start, std::int64_t start_ld, float* sum,
                                                 std::int64_t ld, EachStep each_step) {
  using S = Simd<float>;
  constexpr std::int64_t kLanes = S::kLanes;
  S::Vector acc[kPositions][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kPositions; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      acc[i][v] = start != nullptr ? S::load(start + i * start_ld + v * kLanes) : S::Vector{};
  for (int i = 0; i < kPositions; ++i) {
    __builtin_prefetch(sum + i * ld, 0, 2);
    __builtin_prefetch(sum + i * ld + kVectors * kLanes - 1, 0, 2);
  }
  each_step([&](const float* cell, const float* a) {
    S::Vector weights[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) weights[v] = S::load(a + v * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kPositions; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) acc[i][v] += cell[std::int64_t{i} * kStep] * weights[v];
  });
#pragma GCC unroll 16
  for (int i = 0; i < kPositions; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* to = sum + i * ld + v * kLanes;
      S::store(to, start != nullptr ? acc[i][v] : acc[i][v] + S::load(to));
    }
}

template <int kPositions, int kVectors, int kStep>
void channel_block_of(std::int64_t k, const float* a, const std::int32_t* offset, const float* cells,
                      const float* start, std::int64_t start_ld, float* sum, std::int64_t ld) {
  position_sums<kPositions, kVectors, kStep>(start, start_ld, sum, ld, [=](auto add) {
    for (std::int64_t p = 0; p < k; ++p) add(cells + offset[p], a + p * kVectors * Simd<float>::kLanes);
  });
}

template <int kRows, int kVectors>
void matrix_block_of(std::int64_t k, const float* b, const float* a, std::int64_t pitch, const float* start,
                     std::int64_t start_ld, float* c, std::int64_t ld) {
  constexpr std::int64_t kFetchAhead = 512;  // elements of a, which comes from farther away than b
  position_sums<kRows, kVectors, 1>(start, start_ld, c, ld, [=](auto add) {
    const float* row = a;
#pragma GCC unroll 2
    for (std::int64_t p = 0; p < k; ++p, row += pitch) {
      __builtin_prefetch(row + kFetchAhead);
      add(row, b + p * kVectors * Simd<float>::kLanes);
    }
  });
}

/// sum[r] += sum over the positions of all runs of a cell of row r times the gradient's vectors.
/// rows_at(source) has the rows of a run, whose cell(r, p) are read for p = 0, step, 2 step …
template <class T, int kRows, int kVectors, class Step, class RowsAt>
void add_runs(std::int64_t runs, const WeightRun* run, Step step, const T* gradient, T* sum, std::int64_t ld,
              RowsAt rows_at) {
  using S = Simd<T>;
  typename S::Vector acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[r][v] = S::load(sum + r * ld + v * S::kLanes);
  for (std::int64_t i = 0; i < runs; ++i) {
    const auto rows = rows_at(run[i].source);
    const T* at = gradient + std::int64_t{run[i].gradient} * kVectors * S::kLanes;
    for (std::int64_t p = 0; p < run[i].count * step; p += step, at += kVectors * S::kLanes) {
      typename S::Vector g[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) g[v] = S::load(at + v * S::kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) acc[r][v] += rows.cell(r, p) * g[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) S::store(sum + r * ld + v * S::kLanes, acc[r][v]);
}

template <class T, int kRows, int kVectors>
void weight_block_of(std::int64_t runs, const WeightRun* run, const T* tile, std::int64_t pitch,
                     const T* gradient, T* sum, std::int64_t ld) {
  // Every third row has a pointer; the two between are one and two pitches on.
  struct Rows {
    const T* row[(kRows + 2) / 3];
    std::int64_t pitch;
    T cell(int r, std::int64_t p) const { return row[r / 3][p + r % 3 * pitch]; }
  };
  constexpr std::integral_constant<std::int64_t, 1> kStep;
  add_runs<T, kRows, kVectors>(runs, run, kStep, gradient, sum, ld, [=](std::int64_t source) {
    Rows rows{{}, pitch};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r += 3) rows.row[r / 3] = tile + source + r * pitch;
    return rows;
  });
}

template <class T, int kRows, int kVectors>
void tap_block_of(std::int64_t runs, const WeightRun* run, const T* tile, const std::int32_t* offset,
                  std::int64_t step, const T* gradient, T* sum, std::int64_t ld) {
  struct Rows {
    const T* row[kRows];
    T cell(int r, std::int64_t p) const { return row[r][p]; }
  };
  add_runs<T, kRows, kVectors>(runs, run, step, gradient, sum, ld, [=](std::int64_t source) {
    Rows rows;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) rows.row[r] = tile + source + offset[r];
    return rows;
  });
}

template <class T, int kRows, int kColumns>
void dot_block_of(std::int64_t count, const T* gradient, std::int64_t pitch, const T* tile,
                  const std::int32_t* offset, T* sum, std::int64_t ld) {
  using S = Simd<T>;
  typename S::Vector acc[kRows][kColumns];
  const T* column[kColumns];
  for (int j = 0; j < kColumns; ++j) column[j] = tile + offset[j];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) acc[r][j] = S::load(sum + r * ld + j * S::kLanes);
  for (std::int64_t i = 0; i < count; i += S::kLanes) {
    typename S::Vector g[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) g[r] = S::load(gradient + r * pitch + i);
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      const typename S::Vector x = S::load(column[j] + i);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r][j] += g[r] * x;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) S::store(sum + r * ld + j * S::kLanes, acc[r][j]);
}

/// Table of f<1 …>, for choosing a template by run-time numbers.
template <class F, int... kIndex>
constexpr auto table(std::integer_sequence<int, kIndex...>, F f) {
  return std::array{f.template operator()<kIndex + 1>()...};
}

}  // namespace

template <class T>
OutputBlock<T> output_block(int rows, int vectors) {
  static constexpr auto all = table(std::make_integer_sequence<int, kMaxRows>{}, []<int kRows>() {
    constexpr int kMost = vectors_for(kRows);
    std::array<OutputBlock<T>, kMaxVectors> blocks{};
    const auto some = table(std::make_integer_sequence<int, kMost>{}, []<int kVectors>() -> OutputBlock<T> {
      return output_block_of<T, kRows, kVectors>;
    });
    for (int i = 0; i < kMost; ++i) blocks[i] = some[i];
    return blocks;
  });
  return all[rows - 1][vectors - 1];
}

ChannelBlock channel_block(int positions, int vectors, int step) {
  static constexpr auto all = table(std::make_integer_sequence<int, kMaxStep>{}, []<int kStep>() {
    return table(std::make_integer_sequence<int, kMaxPositions>{}, []<int kPositions>() {
      return table(std::make_integer_sequence<int, kMaxChannelVectors>{}, []<int kVectors>() -> ChannelBlock {
        if constexpr (kPositions * kVectors <= kMaxSums)
          return channel_block_of<kPositions, kVectors, kStep>;
        else
          return nullptr;
      });
    });
  });
  return all[step - 1][positions - 1][vectors - 1];
}

MatrixBlock matrix_block(int rows, int vectors) {
  static constexpr auto all = table(std::make_integer_sequence<int, kMaxPositions>{}, []<int kRows>() {
    return table(std::make_integer_sequence<int, kMaxMatrixVectors>{},
                 []<int kVectors>() -> MatrixBlock { return matrix_block_of<kRows, kVectors>; });
  });
  return all[rows - 1][vectors - 1];
}

template <class T>
WeightBlock<T> weight_block(int rows, int vectors) {
  static constexpr auto narrow = table(std::make_integer_sequence<int, kMaxRows>{}, []<int kRows>() {
    return std::array<WeightBlock<T>, 2>{weight_block_of<T, kRows, 1>, weight_block_of<T, kRows, 2>};
  });
  static constexpr auto wide =
      table(std::make_integer_sequence<int, weight_rows(3)>{},
            []<int kRows>() -> WeightBlock<T> { return weight_block_of<T, kRows, 3>; });
  return vectors <= 2 ? narrow[rows - 1][vectors - 1] : wide[rows - 1];
}

template <class T>
TapBlock<T> tap_block(int rows, int vectors) {
  static constexpr auto all = table(std::make_integer_sequence<int, kMaxTapRows>{}, []<int kRows>() {
    return table(std::make_integer_sequence<int, kMaxWeightVectors>{},
                 []<int kVectors>() -> TapBlock<T> { return tap_block_of<T, kRows, kVectors>; });
  });
  return all[rows - 1][vectors - 1];
}

template <class T>
DotBlock<T> dot_block(int rows, int columns) {
  static constexpr auto all = table(std::make_integer_sequence<int, kMaxDotRows>{}, []<int kRows>() {
    return table(std::make_integer_sequence<int, kMaxDotColumns>{},
                 []<int kColumns>() -> DotBlock<T> { return dot_block_of<T, kRows, kColumns>; });
  });
  return all[rows - 1][columns - 1];
}

#define EVENKEEL_INSTANTIATE(T)                      \
  template OutputBlock<T> output_block<T>(int, int); \
  template WeightBlock<T> weight_block<T>(int, int); \
  template TapBlock<T> tap_block<T>(int, int);       \
  template DotBlock<T> dot_block<T>(int, int);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels::micro
