#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/transpose.h>

#include <limits>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kSumLength = 512;        ///< steps of a part of a sum
constexpr std::int64_t kMostTogether = 8;       ///< blocks that are packed at a time
constexpr std::int64_t kWorthAPiece = 1 << 15;  ///< elements worth packing on another thread

/// f(data, some, done) for the runs of steps [first, first + steps): `some` steps that begin at data[0] of an
/// operand's column, after `done` others.
template <class F>
void each_run(const Operand& from, std::int64_t first, std::int64_t steps, F&& f) {
  for (std::int64_t done = 0, some = 0; done < steps; done += some) {
    const std::int64_t step = first + done, in_run = step % from.run;
    some = std::min(steps - done, from.run - in_run);
    f(step / from.run * from.run_stride + in_run * from.step_stride, some, done);
  }
}

}  // namespace

void StepCopies::run(const Operand& like, std::int64_t first, std::int64_t steps) const {
  constexpr int kTogether = 4;        // steps
  constexpr std::int64_t kAhead = 4;  // steps to fetch beforehand
  if (copies_.empty()) return;
  const std::int64_t ahead = kAhead * like.step_stride, pitch = copies_.front().pitch;
  const Copy* const whole = copies_.data() + whole_;
  const Copy* const end = copies_.data() + copies_.size();
  const auto rows = [&]<int kSteps>(std::int64_t offset, std::int64_t p) {
    for (const Copy* copy = copies_.data(); copy != whole; ++copy) {
      const float* from = copy->from + offset;
      float* to = copy->to + p * pitch;
#pragma GCC unroll 4
      for (int i = 0; i < kSteps; ++i) {
        __builtin_prefetch(from + i * like.step_stride + ahead);
        S::store(to + i * pitch, S::load(from + i * like.step_stride));
      }
    }
    for (const Copy* copy = whole; copy != end; ++copy)
      for (int i = 0; i < kSteps; ++i) {
        const float* from = copy->from + offset + i * like.step_stride;
        __builtin_prefetch(from + ahead);
        S::store_some(copy->to + (p + i) * copy->pitch, S::load_masked(from, copy->mask), copy->room);
      }
  };
  each_run(like, first, steps, [&](std::int64_t offset, std::int64_t some, std::int64_t done) {
    std::int64_t p = done;
    for (; p + kTogether <= done + some; p += kTogether, offset += kTogether * like.step_stride)
      rows.template operator()<kTogether>(offset, p);
    for (; p < done + some; ++p, offset += like.step_stride) rows.template operator()<1>(offset, p);
  });
}

void turn_lanes(const Operand& from, std::int64_t first, std::int64_t steps, std::int64_t count,
                std::int64_t ld, float* to) {
  each_run(from, first, steps, [&](std::int64_t offset, std::int64_t some, std::int64_t done) {
    transpose_to_lanes(from.data + offset, from.stride, some, static_cast<int>(count), to + done * ld, ld);
  });
}

bool ProductRows::fit_in_place(const Operand& a, std::int64_t steps, float alpha, std::int64_t columns) {
  constexpr std::int64_t kFarthest = std::numeric_limits<std::int32_t>::max();
  if (columns > kFewColumns || a.step_stride != 1 || alpha != 1) return false;
  return a.run >= steps || (a.run >= kLeastRun && steps / a.run * a.run_stride < kFarthest);
}

ProductRows::ProductRows(const Operand& a, std::int64_t rows, std::int64_t steps, float alpha,
                         std::int64_t columns)
    : rows_(a),
      alpha_(alpha),
      in_place_(fit_in_place(a, steps, alpha, columns)),
      blocks_(rows, in_place_ ? micro::weight_rows(kStripVectors) : micro::kMaxPositions),
      steps_(steps),
      parts_(ceil_div(steps, kSumLength)),
      most_steps_(ceil_div(steps, parts_)),
      step_pitch_(ceil_div(rows, blocks_.count)) {
  if (in_place_) list_runs();
}

void ProductRows::pack(float* to) const {
  if (in_place_) return;
  const std::int64_t grain = ceil_div(kWorthAPiece, parts_ * block_size());
  detail::parallel_shares(blocks_.count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; b += kMostTogether)
      pack_blocks(b, std::min(b + kMostTogether, end), to);
  });
}

void ProductRows::pack_blocks(std::int64_t first, std::int64_t last, float* to) const {
  for (std::int64_t part = 0; rows_.stride == 1 && part < parts_; ++part) {
    StepCopies copies(last - first);
    for (std::int64_t b = first; b < last; ++b)
      copies.add(rows_.from(blocks_.begin(b)).data, std::min(kLanes, blocks_.rows - blocks_.begin(b)),
                 to + offset(part, b), step_pitch_, kLanes);
    copies.run(rows_, first_step(part), steps(part));
  }
  // A row's parts follow one another.
  for (std::int64_t b = first; b < last; ++b)
    for (std::int64_t part = 0; part < parts_; ++part) {
      float* block = to + offset(part, b);
      if (rows_.stride != 1)
        turn_lanes(rows_.from(blocks_.begin(b)), first_step(part), steps(part), height(b), step_pitch_,
                   block);
      for (std::int64_t k = 0; alpha_ != 1 && k < steps(part) * step_pitch_; ++k) block[k] *= alpha_;
    }
}

void ProductRows::list_runs() {
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
