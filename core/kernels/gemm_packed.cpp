#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/gemm_packed.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <vector>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kLanes = S::kLanes;
constexpr std::int64_t kSumLength = 192;  ///< products added before a block goes back to memory
constexpr std::int64_t kStrip = 2;        ///< vectors of columns taken together
constexpr std::int64_t kPitch = ceil_div(micro::kMaxPositions, kLanes) * kLanes;
constexpr double kWorthAPiece = 1 << 19;  ///< multiply-adds worth handing to another thread

/// An operand: element (step of the sum, row or column i) is data[step * step_stride + i * stride].
struct Operand {
  const float* data;
  std::int64_t step_stride, stride;

  Operand from(std::int64_t i) const { return {data + i * stride, step_stride, stride}; }
};

/// to[p * ld + i] = element (first + p, i) for p < steps, i < count, at most a vector of them; zeros behind.
void pack(const Operand& from, std::int64_t first, std::int64_t steps, std::int64_t count, std::int64_t ld,
          float* to) {
  const float* data = from.data + first * from.step_stride;
  if (from.stride != 1) return transpose_to_lanes(data, from.stride, steps, static_cast<int>(count), to, ld);
  const auto mask = S::lanes_between(0, 0, count);
  for (std::int64_t p = 0; p < steps; ++p)
    S::store(to + p * ld, S::load_masked(data + p * from.step_stride, mask));
}

/// c = alpha a b + beta c on the calling thread.
void multiply(const Operand& a, const Operand& b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
              float beta, float* c, std::int64_t ldc) {
  const evenkeel::detail::FlushDenormals flush;
  const micro::RowBlocks blocks(m, micro::kMaxPositions);
  const std::int64_t sums = ceil_div(k, kSumLength), longest = ceil_div(k, sums);
  detail::Workspace<float> rows(static_cast<std::size_t>(blocks.count * longest * kPitch));
  detail::Workspace<float> columns(static_cast<std::size_t>(longest * kStrip * kLanes));
  std::vector<std::int32_t> offset;
  for (std::int64_t p = 0; p < longest; ++p) offset.push_back(static_cast<std::int32_t>(p * kPitch));
  const float zeros[kStrip * kLanes] = {};
  if (beta != 0 && beta != 1)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] *= beta;

  for (std::int64_t sum = 0; sum < sums; ++sum) {
    const std::int64_t first = k * sum / sums, steps = k * (sum + 1) / sums - first;
    const float* start = sum == 0 && beta == 0 ? zeros : nullptr;
    for (std::int64_t block = 0; block < blocks.count; ++block) {
      float* to = rows.data() + block * longest * kPitch;
      const std::int64_t row = blocks.begin(block);
      pack(a.from(row), first, steps, blocks.begin(block + 1) - row, kPitch, to);
      for (std::int64_t i = 0; alpha != 1 && i < steps * kPitch; ++i) to[i] *= alpha;
    }
    for (std::int64_t j = 0; j < n; j += kStrip * kLanes) {
      const std::int64_t width = std::min(n - j, kStrip * kLanes), wide = ceil_div(width, kLanes) * kLanes;
      for (std::int64_t v = 0; v < width; v += kLanes)
        pack(b.from(j + v), first, steps, std::min(width - v, kLanes), wide, columns.data() + v);
      for (std::int64_t block = 0; block < blocks.count; ++block) {
        const std::int64_t row = blocks.begin(block);
        const auto height = static_cast<int>(blocks.begin(block + 1) - row);
        const auto run = [&](float* to, std::int64_t ld) {
          micro::channel_block(height, static_cast<int>(wide / kLanes))(
              steps, columns.data(), offset.data(), rows.data() + block * longest * kPitch, start, to, ld);
        };
        float* to = c + row * ldc + j;
        if (width == wide) {
          run(to, ldc);
          continue;
        }
        float padded[micro::kMaxPositions * kStrip * kLanes];
        for (int i = 0; start == nullptr && i < height; ++i)
          std::copy_n(to + i * ldc, width, padded + i * wide);
        run(padded, wide);
        for (int i = 0; i < height; ++i) std::copy_n(padded + i * wide, width, to + i * ldc);
      }
    }
  }
}

}  // namespace

bool gemm_packed_pays(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t kLeastRows = 8, kLeastColumns = 128, kLeastSum = 96, kMostCells = 48 << 10;
  const std::int64_t columns = ceil_div(n, kStrip * kLanes) * kStrip * kLanes;
  return kVectorBytes == 64 && m >= kLeastRows && n >= kLeastColumns && k >= kLeastSum &&
         m * std::min(k, kSumLength) <= kMostCells && 20 * (columns - n) <= columns;
}

void gemm_packed(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                 const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
                 std::int64_t ldc) {
  const Operand left{a, trans_a ? lda : 1, trans_a ? 1 : lda};
  const Operand right{b, trans_b ? 1 : ldb, trans_b ? ldb : 1};
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto pieces =
      static_cast<std::int64_t>(std::clamp(work / kWorthAPiece, 1.0, static_cast<double>(num_threads())));
  const bool by_rows = m > n;
  const std::int64_t unit = by_rows ? micro::kMaxPositions : kStrip * kLanes;
  const std::int64_t chunk = ceil_div(ceil_div(std::max(m, n), pieces), unit) * unit;
  detail::parallel_ranges(std::max(m, n), chunk, [&](std::int64_t begin, std::int64_t end) {
    if (by_rows)
      multiply(left.from(begin), right, end - begin, n, k, alpha, beta, c + begin * ldc, ldc);
    else
      multiply(left, right.from(begin), m, end - begin, k, alpha, beta, c + begin, ldc);
  });
}

}  // namespace evenkeel::kernels
