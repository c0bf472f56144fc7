#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/transpose.h>

#include <limits>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kSumLength = 512;        ///< steps of a part of a sum
constexpr std::int64_t kWorthAPiece = 1 << 16;  ///< elements worth packing on another thread

}  // namespace

void pack_lanes(const Operand& from, std::int64_t first, std::int64_t steps, std::int64_t count,
                std::int64_t ld, float* to) {
  const auto mask = S::lanes_between(0, 0, count);
  for (const std::int64_t end = first + steps; first < end;) {
    const std::int64_t step = first % from.run, some = std::min(end - first, from.run - step);
    const float* data = from.data + first / from.run * from.run_stride + step * from.step_stride;
    if (from.stride != 1)
      transpose_to_lanes(data, from.stride, some, static_cast<int>(count), to, ld);
    else
      for (std::int64_t p = 0; p < some; ++p)
        S::store(to + p * ld, S::load_masked(data + p * from.step_stride, mask));
    first += some;
    to += some * ld;
  }
}

bool PackedRows::fit_in_place(const Operand& a, std::int64_t steps, float alpha, std::int64_t columns) {
  constexpr std::int64_t kFarthest = std::numeric_limits<std::int32_t>::max();
  if (columns > kFewColumns || a.step_stride != 1 || alpha != 1) return false;
  return a.run >= steps || (a.run >= kLeastRun && steps / a.run * a.run_stride < kFarthest);
}

PackedRows::PackedRows(const Operand& a, std::int64_t rows, std::int64_t steps, float alpha,
                       std::int64_t columns)
    : rows_(a),
      in_place_(fit_in_place(a, steps, alpha, columns)),
      blocks_(rows, in_place_ ? micro::weight_rows(kStripVectors) : micro::kMaxPositions),
      steps_(steps),
      parts_(ceil_div(steps, kSumLength)),
      most_steps_(ceil_div(steps, parts_)),
      shorter_(rows / blocks_.count),
      packed_(in_place_ ? 0 : static_cast<std::size_t>(parts_ * blocks_.count * block_size())) {
  if (in_place_) {
    list_runs();
    return;
  }
  for (const int more : {0, 1})
    for (std::int64_t p = 0; p < most_steps_; ++p)
      offsets_[more].push_back(static_cast<std::int32_t>(p * (shorter_ + more)));
  const std::int64_t grain = ceil_div(kWorthAPiece, block_size());
  detail::parallel_ranges(parts_ * blocks_.count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t part = i / blocks_.count, b = i % blocks_.count;
      float* to = packed_.data() + i * block_size();
      pack_lanes(a.from(blocks_.begin(b)), first_step(part), this->steps(part), height(b), height(b), to);
      for (std::int64_t k = 0; alpha != 1 && k < this->steps(part) * height(b); ++k) to[k] *= alpha;
    }
  });
}

void PackedRows::list_runs() {
  runs_.resize(static_cast<std::size_t>(parts_));
  for (std::int64_t part = 0; part < parts_; ++part)
    for (std::int64_t at = 0, some = 0; at < steps(part); at += some) {
      const std::int64_t step = first_step(part) + at;
      some = std::min(rows_.run - step % rows_.run, steps(part) - at);
      runs_[part].push_back(
          {static_cast<std::int32_t>(step / rows_.run * rows_.run_stride + step % rows_.run),
           static_cast<std::int32_t>(at), static_cast<std::int32_t>(some)});
    }
}

}  // namespace evenkeel::kernels
