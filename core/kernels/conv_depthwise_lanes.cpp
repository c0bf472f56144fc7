#include <evenkeel/core/kernels/conv_depthwise_lanes.h>
#include <evenkeel/core/kernels/conv_depthwise_plan.h>
#include <evenkeel/core/kernels/conv_depthwise_plane.h>
#include <evenkeel/core/kernels/conv_depthwise_share.h>
#include <evenkeel/core/kernels/transpose.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// Results of a row that are summed at a time, in a register each.
constexpr int kMaxColumns = 14;

/// Results of a phase, from `begin` on, that are summed together.
struct Part {
  int phase;
  std::int64_t begin, count;
};

/// The plan with cells that are vectors of channels, in rows with zeros at both ends.
template <class T>
struct Plan : DepthwisePlan {
  static constexpr int kLanes = Simd<T>::kLanes;

  Plan(const ConvGeometry& g, bool turned)
      : DepthwisePlan(g, turned),
        channels(g.groups),
        blocks(ceil_div(g.groups, kLanes)),
        all_taps(product(as_volume(g.rank, g.kernel, 1))),
        dilation(g.dilation[g.rank - 1]) {
    std::int64_t end = source[2];
    for (int phase = 0; phase < phases; ++phase) {
      const std::int64_t columns = ceil_div(target[2] - phase, phases);
      for (const Tap& tap : taps[phase]) {
        low = std::max(low, -tap.shift);
        end = std::max(end, (columns - 1) * step + tap.shift + 1);
      }
      const std::int64_t cuts = ceil_div(columns, kMaxColumns);
      for (std::int64_t cut = 0; cut < cuts; ++cut) {
        const std::int64_t begin = columns * cut / cuts;
        parts.push_back({phase, begin, columns * (cut + 1) / cuts - begin});
      }
    }
    pitch = low + end;
  }

  /// Elements of a block's padded planes.
  std::int64_t cells() const { return source[0] * source[1] * pitch * kLanes; }
  /// Place of the cell that a tap without shift reads first.
  std::int64_t row(std::int64_t index) const { return (index * pitch + low) * kLanes; }
  std::int64_t some(std::int64_t block) const {
    return std::min<std::int64_t>(kLanes, channels - block * kLanes);
  }

  std::int64_t channels, blocks, all_taps, dilation;
  std::int64_t low = 0, pitch = 0;  ///< cells before a row's first, from row to row
  std::vector<Part> parts;          ///< of a row
};

/// One thread's scratch memory.
template <class T>
class Scratch {
 public:
  using S = Simd<T>;

  explicit Scratch(const Plan<T>& plan)
      : plan_(plan),
        pitch_(ceil_div(std::max(product(plan.target), plan.all_taps), S::kLanes) * S::kLanes),
        cells_(static_cast<std::size_t>(plan.cells())),
        flat_(static_cast<std::size_t>(product(plan.source) * S::kLanes)),
        turned_(static_cast<std::size_t>(pitch_ * S::kLanes)) {
    std::fill_n(cells_.data(), plan.cells(), T(0));
  }

  /// Planes of neighbouring channels as rows of vectors.
  const T* pad(const T* planes, std::int64_t channels) {
    const std::int64_t count = product(plan_.source), length = plan_.source[2] * S::kLanes;
    transpose_to_lanes(planes, count, count, static_cast<int>(channels), flat_.data(), S::kLanes);
    for (std::int64_t row = 0; row < plan_.source[0] * plan_.source[1]; ++row)
      std::copy_n(flat_.data() + row * length, length, cells_.data() + plan_.row(row));
    return cells_.data();
  }

  /// planes[channel * count + i] = from[i * lanes + channel]; += with add.
  void turn_back(const T* from, std::int64_t count, std::int64_t channels, bool add, T* planes) {
    if (!add && count >= S::kLanes) {
      for (std::int64_t i = 0; i < count; i += S::kLanes) {
        const std::int64_t at = std::min(i, count - S::kLanes);
        transpose_to_lanes(from + at * S::kLanes, S::kLanes, channels, S::kLanes, planes + at, count);
      }
      return;
    }
    for (std::int64_t i = 0; i < count; i += S::kLanes)
      transpose_to_lanes(from + i * S::kLanes, S::kLanes, channels,
                         static_cast<int>(std::min<std::int64_t>(S::kLanes, count - i)), turned_.data() + i,
                         pitch_);
    for (std::int64_t c = 0; c < channels; ++c, planes += count)
      for (std::int64_t i = 0; i < count; i += S::kLanes) {
        auto value = S::load(turned_.data() + c * pitch_ + i);
        if (add) value += S::load_between(planes, i, 0, count);
        S::store_some(planes + i, value, count - i);
      }
  }

 private:
  const Plan<T>& plan_;
  std::int64_t pitch_;
  detail::Workspace<T> cells_, flat_, turned_;
};

/// kColumns results of a row's phase, from the one whose first cells `cells` points at.
template <class T, int kStep, int kColumns>
void row_part(const Plan<T>& plan, std::int64_t row, int phase, const T* cells, const T* w,
              typename Simd<T>::Vector start, T* to) {
  using S = Simd<T>;
  typename S::Vector sum[kColumns];
  for (auto& s : sum) s = start;
  for (auto i = plan.first_line[row]; i < plan.first_line[row + 1]; ++i) {
    const T* line = cells + plan.lines[i].row * plan.pitch * S::kLanes;
    const T* weights = w + plan.lines[i].tap * plan.kernel * S::kLanes;
    for (const DepthwisePlan::Tap& tap : plan.taps[phase]) {
      const auto weight = S::load(weights + tap.weight * S::kLanes);
      const T* from = line + tap.shift * S::kLanes;
#pragma GCC unroll 16
      for (int c = 0; c < kColumns; ++c) sum[c] += weight * S::load(from + c * kStep * S::kLanes);
    }
  }
#pragma GCC unroll 16
  for (int c = 0; c < kColumns; ++c) S::store(to + c * plan.phases * S::kLanes, sum[c]);
}

template <class T, int kStep>
void block_rows(const Plan<T>& plan, const T* cells, const T* w, typename Simd<T>::Vector start, T* to) {
  constexpr std::int64_t kLanes = Simd<T>::kLanes;
  constexpr auto columns = []<int... kLess>(std::integer_sequence<int, kLess...>) {
    return std::array{row_part<T, kStep, kLess + 1>...};
  }
  (std::make_integer_sequence<int, kMaxColumns>{});
  for (std::int64_t row = 0; row < plan.rows(); ++row, to += plan.target[2] * kLanes)
    for (const Part& part : plan.parts)
      columns[part.count - 1](plan, row, part.phase, cells + plan.row(0) + part.begin * kStep * kLanes, w,
                              start, to + (part.phase + part.begin * plan.phases) * kLanes);
}

template <class T>
void run_blocks(const ConvGeometry& g, bool turned, const T* source, const T* w, const T* bias, bool add,
                T* target) {
  using S = Simd<T>;
  static constexpr auto by_step = []<int... kLess>(std::integer_sequence<int, kLess...>) {
    return std::array{block_rows<T, kLess + 1>...};
  }
  (std::make_integer_sequence<int, kMaxLanesStep>{});
  const Plan<T> plan(g, turned);
  const std::int64_t weights = plan.all_taps * S::kLanes, results = product(plan.target);
  detail::Workspace<T> packed(static_cast<std::size_t>(plan.blocks * weights));
  detail::parallel_shares(plan.blocks, depthwise_grain(weights), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block)
      transpose_to_lanes(w + block * weights, plan.all_taps, plan.all_taps,
                         static_cast<int>(plan.some(block)), packed.data() + block * weights, S::kLanes);
  });
  const std::int64_t grain = depthwise_grain(results * plan.all_taps * S::kLanes);
  detail::parallel_shares(g.batch * plan.blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    Scratch<T> scratch(plan);
    detail::Workspace<T> sums(static_cast<std::size_t>(results * S::kLanes));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t block = i % plan.blocks, channel = block * S::kLanes, some = plan.some(block);
      const std::int64_t plane = i / plan.blocks * g.groups + channel;
      const T* cells = scratch.pad(source + plane * product(plan.source), some);
      const auto start = bias != nullptr ? S::load_between(bias, channel, 0, g.groups) : typename S::Vector{};
      by_step[plan.step - 1](plan, cells, packed.data() + block * weights, start, sums.data());
      scratch.turn_back(sums.data(), results, some, add, target + plane * results);
    }
  });
}

using Meeting = DepthwisePlan::Meeting;

/// sum[k] += gradient times cells over the meetings, for kTaps taps of the last axis from `first` on, which
/// read neighbouring cells if kDense.
template <class T, int kStep, bool kDense, int kTaps>
void weight_part(const Plan<T>& plan, const ScratchVector<Meeting>& meetings, std::int64_t first,
                 const T* cells, const T* gradient, T* sum) {
  using S = Simd<T>;
  constexpr int kTogether = kTaps > 1 ? 14 / kTaps : 8;  // columns with sums of their own
  typename S::Vector acc[kTogether][kTaps] = {};
  const std::int64_t apart = kDense ? S::kLanes : plan.dilation * S::kLanes;
  const std::int64_t length = plan.target[2] * S::kLanes;
  cells += plan.taps[0][first].shift * S::kLanes;
  for (const Meeting& m : meetings) {
    const T* outs = gradient + m.target * length;
    const T* from = cells + plan.row(m.source);
    for (std::int64_t i = 0; i < length; i += kTogether * S::kLanes)
#pragma GCC unroll 8
      for (int j = 0; j < kTogether; ++j) {
        const std::int64_t at = i + j * S::kLanes;
        if (at >= length) break;
        const auto value = S::load(outs + at);
#pragma GCC unroll 8
        for (int k = 0; k < kTaps; ++k) acc[j][k] += value * S::load(from + at * kStep + k * apart);
      }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kTaps; ++k) {
    auto total = S::load(sum + k * S::kLanes);
#pragma GCC unroll 8
    for (int j = 0; j < kTogether; ++j) total += acc[j][k];
    S::store(sum + k * S::kLanes, total);
  }
}

template <class T, int kStep, bool kDense>
void block_weights(const Plan<T>& plan, const std::vector<ScratchVector<Meeting>>& meetings, const T* cells,
                   const T* gradient, T* sums) {
  for (const auto& line : meetings) {
    std::int64_t first = 0;
    const auto parts = [&]<int kTaps>() {
      for (; first + kTaps <= plan.kernel; first += kTaps, sums += kTaps * Simd<T>::kLanes)
        weight_part<T, kStep, kDense, kTaps>(plan, line, first, cells, gradient, sums);
    };
    parts.template operator()<7>();
    parts.template operator()<5>();
    parts.template operator()<3>();
    parts.template operator()<1>();
  }
}

}  // namespace

/// By estimates of both ways, in multiply-adds of vectors for the planes of a vector of channels.
template <class T>
bool depthwise_by_lanes(const ConvGeometry& g, DepthwisePass pass) {
  constexpr std::int64_t kLanes = Simd<T>::kLanes, kManyBlocks = 8;
  constexpr std::int64_t kNearBytes = 32 << 10, kMostBytes = 256 << 10;
  constexpr std::int64_t kNearCell = 8, kFarCell = 12;  // transposed, there and back
  constexpr std::int64_t kVector = 8, kPlaneRow = 2, kRow = 60;
  constexpr std::int64_t kSplitVector = 9;  // of cells that are taken apart
  const std::int64_t blocks = ceil_div(g.groups, kLanes), stride = g.stride[g.rank - 1];
  if ((g.groups < kLanes && g.batch < kManyBlocks) || stride > kMaxLanesStep) return false;
  const Sizes3 out = as_volume(g.rank, g.out, 1), in = as_volume(g.rank, g.in, 1);
  const std::int64_t outs = product(out), cells = product(in);
  const std::int64_t taps = product(as_volume(g.rank, g.kernel, 1));
  const std::int64_t bytes = std::max(cells, outs) * kVectorBytes;
  if (bytes > kMostBytes) return false;
  const std::int64_t lanes = outs * taps + (cells + outs) * (bytes > kNearBytes ? kFarCell : kNearCell);
  const bool planes = depthwise_by_planes<T>(g, pass);
  const std::int64_t step = planes || stride == 1 ? 1 : 3;  // cells that lie apart are shuffled for each tap
  const std::int64_t row = ceil_div(out[2], kLanes) * (taps * step + kVector) + (planes ? kPlaneRow : kRow);
  const std::int64_t split =
      planes && stride > 1 ? in[0] * in[1] * ceil_div(in[2], kLanes) * kSplitVector : 0;
  const double gain =
      static_cast<double>((out[0] * out[1] * row + split) * g.groups) / static_cast<double>(lanes * blocks);
  return gain * (pass == DepthwisePass::weight_grad ? 1.5 : 1.0) > 1;
}

template <class T>
void depthwise_lanes_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  run_blocks(g, false, x, w, bias, false, y);
}

template <class T>
void depthwise_lanes_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  run_blocks<T>(g, true, gy, w, nullptr, beta != T(0), gx);
}

template <class T>
void depthwise_lanes_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  constexpr std::int64_t kLanes = Simd<T>::kLanes;
  const Plan<T> plan(g, false);
  const auto meetings = plan.meetings();
  const bool dense = plan.dilation == 1;
  static constexpr auto by_step = []<int... kLess>(std::integer_sequence<int, kLess...>) {
    return std::array{std::array{block_weights<T, kLess + 1, false>, block_weights<T, kLess + 1, true>}...};
  }
  (std::make_integer_sequence<int, kMaxLanesStep>{});
  const auto add = by_step[plan.step - 1][dense ? 1 : 0];
  const std::int64_t outs = product(plan.target), in = product(plan.source);
  const std::int64_t cuts = depthwise_cuts(plan.blocks, g.batch);
  detail::Workspace<T> partial(static_cast<std::size_t>(cuts * g.groups * plan.all_taps));
  const std::int64_t grain = depthwise_grain(g.batch / cuts * outs * plan.all_taps * kLanes);
  detail::parallel_shares(cuts * plan.blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    Scratch<T> scratch(plan);
    detail::Workspace<T> sums(static_cast<std::size_t>(plan.all_taps * kLanes)),
        gradient(static_cast<std::size_t>(outs * kLanes));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t block = i % plan.blocks, cut = i / plan.blocks, some = plan.some(block);
      std::fill_n(sums.data(), plan.all_taps * kLanes, T(0));
      for (std::int64_t image = g.batch * cut / cuts; image < g.batch * (cut + 1) / cuts; ++image) {
        const std::int64_t plane = image * g.groups + block * kLanes;
        const T* cells = scratch.pad(x + plane * in, some);
        transpose_to_lanes(gy + plane * outs, outs, outs, static_cast<int>(some), gradient.data(), kLanes);
        add(plan, meetings, cells, gradient.data(), sums.data());
      }
      scratch.turn_back(sums.data(), plan.all_taps, some, false,
                        partial.data() + (cut * g.groups + block * kLanes) * plan.all_taps);
    }
  });
  sum_axis(1, cuts, g.groups * plan.all_taps, T(1), partial.data(), beta, gw);
}

#define EVENKEEL_INSTANTIATE(T)                                                                 \
  template bool depthwise_by_lanes<T>(const ConvGeometry&, DepthwisePass);                      \
  template void depthwise_lanes_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void depthwise_lanes_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void depthwise_lanes_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
