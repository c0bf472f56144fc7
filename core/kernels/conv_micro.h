#pragma once

#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cstdint>
#include <vector>

/// The innermost loops of convolutions and products of matrices: a block of results stays in registers over a
/// whole sum.
namespace evenkeel::kernels::micro {

/// One vector of neighbouring outputs: where its cells start in the tile, where the results go, how many
/// count.
struct Lanes {
  std::int32_t source;
  std::int32_t count;
  std::int64_t target;
};

inline constexpr int kMaxRows = kVectorBytes == 64 ? 12 : 6;  ///< output channels of a block
inline constexpr int kMaxVectors = 8;

/// Vectors that a block of `rows` output channels takes at a time, so that the sums fill the registers.
constexpr int vectors_for(int rows) { return 4 * rows <= kMaxRows ? 8 : 2 * rows <= kMaxRows ? 4 : 2; }

/// Vectors to go on with, a multiple of `unit`, while the weights of all row blocks pass by: as many as stay
/// in the L1 cache beside a block's weights, where the cells of all `vectors` take `bytes`.
inline std::int64_t vectors_together(std::int64_t bytes, std::int64_t vectors, std::int64_t unit) {
  constexpr std::int64_t kCacheBytes = 20 << 10;
  const std::int64_t fits = kCacheBytes * vectors / std::max<std::int64_t>(bytes, 1);
  return std::max<std::int64_t>(fits / unit, 1) * unit;
}

/// Rows in blocks of nearly equal height, `most` at most.
struct RowBlocks {
  explicit RowBlocks(std::int64_t total, std::int64_t most = kMaxRows)
      : rows(total), count(ceil_div(total, most)) {}
  std::int64_t begin(std::int64_t block) const {
    return block * (rows / count) + std::min(block, rows % count);
  }
  std::int64_t rows, count;
};

/// c[r * ldc + lane] = start + sum over k of a[k * rows + r] * tile[offset[k] + lane], for `rows` rows and
/// `vectors` vectors of lanes. start is bias[r] if bias is given, and c too if `accumulate`.
template <class T>
using OutputBlock = void (*)(std::int64_t k, const T* a, const std::int32_t* offset, const T* tile,
                             const Lanes* lanes, T* c, std::int64_t ldc, const T* bias, bool accumulate);
template <class T>
OutputBlock<T> output_block(int rows, int vectors);

inline constexpr std::int64_t kPanelVectors = 2;
/// Whether cells are read by so many blocks, in sums so long, that a Panel of them pays.
inline bool worth_a_panel(std::int64_t row_blocks, std::int64_t steps) {
  return row_blocks >= 3 && steps >= 32;
}

/// The cells of two vectors of outputs, one step of the sum after another: while the row blocks pass by they
/// stay in the L1 cache, and no load crosses a cache line.
template <class T>
class Panel {
 public:
  /// For sums over up to `longest` steps.
  explicit Panel(std::int64_t longest)
      : cells_(static_cast<std::size_t>(longest * kPanelVectors * Simd<T>::kLanes)) {
    for (std::int64_t p = 0; p < longest; ++p)
      offset_.push_back(static_cast<std::int32_t>(p * kPanelVectors * Simd<T>::kLanes));
  }

  /// Copies what an output_block would read for `vectors` of `lanes`; it can then be given the three below.
  void gather(std::int64_t k, const std::int32_t* offset, const T* tile, const Lanes* lanes, int vectors) {
    for (int v = 0; v < vectors; ++v) lanes_[v] = {v * Simd<T>::kLanes, lanes[v].count, lanes[v].target};
    const T* first = tile + lanes[0].source;
    const T* second = tile + lanes[vectors - 1].source;
    T* to = cells_.data();
    for (std::int64_t p = 0; p < k; ++p, to += kPanelVectors * Simd<T>::kLanes) {
      Simd<T>::store(to, Simd<T>::load(first + offset[p]));
      Simd<T>::store(to + Simd<T>::kLanes, Simd<T>::load(second + offset[p]));
    }
  }

  const T* cells() { return cells_.data(); }
  const std::int32_t* offset() const { return offset_.data(); }
  const Lanes* lanes() const { return lanes_; }

 private:
  detail::Workspace<T> cells_;
  std::vector<std::int32_t> offset_;
  Lanes lanes_[kPanelVectors];
};

inline constexpr int kMaxPositions = kVectorBytes == 64 ? 14 : 6;  ///< neighbouring outputs of a block
inline constexpr int kMaxChannelVectors = kVectorBytes == 64 ? 4 : 2;
inline constexpr int kMaxSums = kVectorBytes == 64 ? 28 : 12;  ///< registers that hold sums

inline constexpr int kMaxStep = 4;  ///< cells from one output's to the next one's

/// sum[i * ld …] = start[i * start_ld …] + sum over k of cells[offset[k] + i * step] * a[k][…], for
/// `positions` outputs i and `vectors` vectors of output channels, at most kMaxSums together. Without `start`
/// the sum is added to what is there.
using ChannelBlock = void (*)(std::int64_t k, const float* a, const std::int32_t* offset, const float* cells,
                              const float* start, std::int64_t start_ld, float* sum, std::int64_t ld);
ChannelBlock channel_block(int positions, int vectors, int step);

/// c[r * ld …] = start[r * start_ld …] + sum over p < k of a[p * pitch + r] * b[p][…], for `rows` rows, at
/// most kMaxPositions, and `vectors` vectors of columns. Without `start` the sum is added to what is there.
using MatrixBlock = void (*)(std::int64_t k, const float* b, const float* a, std::int64_t pitch,
                             const float* start, std::int64_t start_ld, float* c, std::int64_t ld);
inline constexpr int kMaxMatrixVectors = 2;
MatrixBlock matrix_block(int rows, int vectors);

/// A run of neighbouring outputs: where their cells start in the tile.
struct Run {
  std::int32_t source;
  std::int32_t count;
};

/// A run, and where it starts in the transposed gradient.
struct WeightRun {
  std::int32_t source;
  std::int32_t gradient;
  std::int32_t count;
};

/// sum[r * ld + lane] += sum over the positions of all runs of tile[r * pitch + source's position] *
/// gradient[gradient's position][lane].
template <class T>
using WeightBlock = void (*)(std::int64_t runs, const WeightRun* run, const T* tile, std::int64_t pitch,
                             const T* gradient, T* sum, std::int64_t ld);
inline constexpr int kMaxWeightVectors = 3;
/// Input channels a block takes with `vectors` vectors of output channels.
constexpr int weight_rows(int vectors) {
  return kVectorBytes == 64 ? (vectors == 3 ? 8 : 12) : (vectors == 3 ? 4 : 6);
}
/// Vectors of output channels taken together from vector v of `vectors` on: two, and three at an odd end.
inline std::int64_t weight_vectors(std::int64_t vectors, std::int64_t v) {
  const std::int64_t left = vectors - v;
  return left == 3 ? 3 : std::min<std::int64_t>(left, 2);
}
template <class T>
WeightBlock<T> weight_block(int rows, int vectors);

/// The same where row r reads from tile[offset[r]] on, cells that are `step` apart.
template <class T>
using TapBlock = void (*)(std::int64_t runs, const WeightRun* run, const T* tile, const std::int32_t* offset,
                          std::int64_t step, const T* gradient, T* sum, std::int64_t ld);
inline constexpr int kMaxTapRows = kVectorBytes == 64 ? 8 : 4;
template <class T>
TapBlock<T> tap_block(int rows, int vectors);

/// sum[r * ld + j * lanes …] += gradient[r * pitch …] * tile[offset[j] …] lane by lane over `count`
/// cells, a multiple of the lanes.
template <class T>
using DotBlock = void (*)(std::int64_t count, const T* gradient, std::int64_t pitch, const T* tile,
                          const std::int32_t* offset, T* sum, std::int64_t ld);
inline constexpr int kMaxDotRows = 4;
inline constexpr int kMaxDotColumns = kVectorBytes == 64 ? 4 : 2;
template <class T>
DotBlock<T> dot_block(int rows, int columns);

}  // namespace evenkeel::kernels::micro
