#include <evenkeel/core/kernels/conv_depthwise_plan.h>
#include <evenkeel/core/kernels/conv_depthwise_rows.h>
#include <evenkeel/core/kernels/conv_depthwise_share.h>
#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <span>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// The plan with vectors along the rows, and where the rows end.
template <class T>
struct Plan : DepthwisePlan {
  using S = Simd<T>;
  static constexpr std::int64_t kLanes = S::kLanes;

  Plan(const ConvGeometry& g, bool turned) : DepthwisePlan(g, turned) {
    vectors = ceil_div(ceil_div(target[2], phases), kLanes);
    constexpr std::int64_t kFewVectors = 8;
    if (vectors > kFewVectors) find_inside();
    for (int phase = 0; phase < phases; ++phase)
      for (const Tap& tap : taps[phase])
        for (std::int64_t v = 0; v < vectors; v = v + 1 == inside_begin ? inside_end : v + 1)
          for (int half = 0; half < step; ++half)
            masks.push_back(S::lanes_between(tap.shift + (v * step + half) * kLanes, 0, source[2]));
  }

  std::int64_t edges() const { return vectors - (inside_end - inside_begin); }
  /// Place of a vector's masks among those of its tap.
  std::int64_t edge(std::int64_t v) const { return v < inside_begin ? v : v - (inside_end - inside_begin); }

  std::int64_t vectors;                           ///< of a phase in a row
  std::int64_t inside_begin = 0, inside_end = 0;  ///< vectors of a long row that read no cell beyond its ends
  std::vector<typename S::Mask> masks;            ///< [phase][tap][vector, if not inside][half]

 private:
  void find_inside() {
    std::int64_t low = 0, high = 0;
    for (const auto& phase : taps)
      for (const Tap& tap : phase) {
        low = std::min(low, tap.shift);
        high = std::max(high, tap.shift);
      }
    const std::int64_t reach = step * kLanes;
    inside_begin = std::min(std::max<std::int64_t>(ceil_div(-low, reach), 1), vectors - 1);
    inside_end = std::clamp((source[2] - high) / reach, inside_begin, vectors - 1);
  }
};

/// One vector of neighbouring results' cells; kStep 2: of every second cell.
template <class T, int kStep, bool kInside>
typename Simd<T>::Vector cells(const T* from, const typename Simd<T>::Mask* mask) {
  using S = Simd<T>;
  if constexpr (kInside && kStep == 1)
    return S::load(from);
  else if constexpr (kInside)
    return evens<T>(S::load(from), S::load(from + S::kLanes));
  else if constexpr (kStep == 1)
    return S::load_masked(from, *mask);
  else
    return evens<T>(S::load_masked(from, mask[0]), S::load_masked(from + S::kLanes, mask[1]));
}

/// kVectors vectors of a target row from vector v on.
template <class T, int kStep, int kPhases, int kVectors, bool kInside>
void row_part(const Plan<T>& plan, std::int64_t row, std::int64_t v, const T* plane, const T* w, T start,
              bool add, T* to) {
  using S = Simd<T>;
  constexpr int kLanes = S::kLanes;
  typename S::Vector sum[kPhases][kVectors], other[kPhases][kVectors] = {};
  for (auto& phase : sum)
    for (auto& s : phase) s = start - typename S::Vector{};
  const auto add_line = [&](const DepthwisePlan::Line& line, auto& to_phases, std::size_t phase,
                            std::size_t tap, const auto* mask) {
    const DepthwisePlan::Tap& t = plan.taps[phase][tap];
    const T weight = w[line.tap * plan.kernel + t.weight];
    const T* from = plane + line.row * plan.source[2] + v * kStep * kLanes + t.shift;
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j)
      to_phases[phase][j] += weight * cells<T, kStep, kInside>(from + j * kStep * kLanes, mask + j * kStep);
  };
  // Lines in pairs, each with sums of its own: more sums than a multiply-add takes cycles.
  const auto end = plan.first_line[row + 1];
  for (auto i = plan.first_line[row]; i < end; i += 2) {
    const auto* mask = plan.masks.data() + plan.edge(v) * kStep;
#pragma GCC unroll 2
    for (std::size_t phase = 0; phase < kPhases; ++phase)
      for (std::size_t tap = 0; tap < plan.taps[phase].size(); ++tap, mask += plan.edges() * kStep) {
        add_line(plan.lines[i], sum, phase, tap, mask);
        if (i + 1 < end) add_line(plan.lines[i + 1], other, phase, tap, mask);
      }
  }
#pragma GCC unroll 2
  for (int phase = 0; phase < kPhases; ++phase)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[phase][j] += other[phase][j];
  const std::int64_t length = plan.target[2];
  to += row * length;
  const auto put = [&](std::int64_t at, typename S::Vector value) {
    if (at >= length) return;
    if (add) value += S::load_between(to, at, 0, length);
    S::store_some(to + at, value, length - at);
  };
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j)
    if constexpr (kPhases == 1) {
      put((v + j) * kLanes, sum[0][j]);
    } else {
      put(2 * (v + j) * kLanes, interleave<T, 0>(sum[0][j], sum[1][j]));
      put((2 * (v + j) + 1) * kLanes, interleave<T, 1>(sum[0][j], sum[1][j]));
    }
}

template <class T, int kStep, int kPhases>
void run_planes(const Plan<T>& plan, const ConvGeometry& g, const T* source, const T* w, const T* bias,
                T beta, T* target) {
  constexpr int kTogether = 4;
  const std::int64_t taps = product(as_volume(g.rank, g.kernel, 1));
  const std::int64_t grain = depthwise_grain(product(plan.target) * taps / kPhases);
  detail::parallel_shares(g.batch * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t channel = plane % g.groups;
      const T* from = source + plane * product(plan.source);
      T* to = target + plane * product(plan.target);
      const T start = bias != nullptr ? bias[channel] : T(0);
      for (std::int64_t row = 0; row < plan.rows(); ++row) {
        const auto part = [&]<int kVectors, bool kInside>(std::int64_t v) {
          row_part<T, kStep, kPhases, kVectors, kInside>(plan, row, v, from, w + channel * taps, start,
                                                         beta != T(0), to);
        };
        std::int64_t v = 0;
        for (; v < plan.inside_begin; ++v) part.template operator()<1, false>(v);
        for (; v + kTogether <= plan.inside_end; v += kTogether) part.template operator()<kTogether, true>(v);
        for (; v < plan.inside_end; ++v) part.template operator()<1, true>(v);
        for (; v + kTogether <= plan.vectors; v += kTogether) part.template operator()<kTogether, false>(v);
        for (; v + 2 <= plan.vectors; v += 2) part.template operator()<2, false>(v);
        for (; v < plan.vectors; ++v) part.template operator()<1, false>(v);
      }
    }
  });
}

using Meeting = DepthwisePlan::Meeting;

/// sum[k][lane] += gradient times cells over meetings of one plane, for kTaps taps of the last axis from
/// `first` on.
template <class T, int kStep, int kTaps>
void weight_part(const Plan<T>& plan, std::span<const Meeting> meetings, std::int64_t first, const T* plane,
                 const T* gradient, T* sum) {
  using S = Simd<T>;
  const auto* mask = plan.masks.data() + first * plan.edges() * kStep;
  const std::int64_t mask_pitch = plan.edges() * kStep;
  std::int64_t shift[kTaps];
  for (int k = 0; k < kTaps; ++k) shift[k] = plan.taps[0][first + k].shift;
  typename S::Vector acc[2][kTaps] = {};
  const auto add = [&]<bool kInside>(int which, const Meeting& m, std::int64_t v) {
    const auto value =
        S::load_between(gradient + m.target * plan.target[2], v * S::kLanes, 0, plan.target[2]);
    const T* from = plane + m.source * plan.source[2] + v * kStep * S::kLanes;
#pragma GCC unroll 8
    for (int k = 0; k < kTaps; ++k)
      acc[which][k] +=
          value * cells<T, kStep, kInside>(from + shift[k], mask + k * mask_pitch + plan.edge(v) * kStep);
  };
  const auto add_row = [&](int which, const Meeting& m) {
    std::int64_t v = 0;
    for (; v < plan.inside_begin; ++v) add.template operator()<false>(which, m, v);
    for (; v < plan.inside_end; ++v) add.template operator()<true>(which, m, v);
    for (; v < plan.vectors; ++v) add.template operator()<false>(which, m, v);
  };
  std::size_t i = 0;
  if (plan.inside_end == 0)
    for (; i + 1 < meetings.size(); i += 2)
      for (std::int64_t v = 0; v < plan.vectors; ++v) {
        add.template operator()<false>(0, meetings[i], v);
        add.template operator()<false>(1, meetings[i + 1], v);
      }
  for (; i < meetings.size(); ++i) add_row(0, meetings[i]);
#pragma GCC unroll 8
  for (int k = 0; k < kTaps; ++k)
    S::store(sum + k * S::kLanes, S::load(sum + k * S::kLanes) + acc[0][k] + acc[1][k]);
}

template <class T, int kStep>
void weight_plane(const Plan<T>& plan, const std::vector<ScratchVector<Meeting>>& meetings, const T* plane,
                  const T* gradient, T* sum) {
  constexpr std::int64_t kSumLength = 512;  // products added in a lane before they go to the sums
  const auto rows = static_cast<std::size_t>(2 * ceil_div(kSumLength, plan.vectors));
  for (std::size_t line = 0; line < meetings.size(); ++line) {
    const std::span<const Meeting> all(meetings[line]);
    const auto part = [&]<int kTaps>(std::int64_t first) {
      for (std::size_t m = 0; m < all.size(); m += rows)
        weight_part<T, kStep, kTaps>(plan, all.subspan(m, std::min(rows, all.size() - m)), first, plane,
                                     gradient, sum + (line * plan.kernel + first) * Simd<T>::kLanes);
    };
    std::int64_t k = 0;
    for (; k + 7 <= plan.kernel; k += 7) part.template operator()<7>(k);
    for (; k + 5 <= plan.kernel; k += 5) part.template operator()<5>(k);
    for (; k + 3 <= plan.kernel; k += 3) part.template operator()<3>(k);
    for (; k < plan.kernel; ++k) part.template operator()<1>(k);
  }
}

}  // namespace

template <class T>
void depthwise_rows_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Plan<T> plan(g, false);
  if (plan.step == 1)
    run_planes<T, 1, 1>(plan, g, x, w, bias, T(0), y);
  else
    run_planes<T, 2, 1>(plan, g, x, w, bias, T(0), y);
}

template <class T>
void depthwise_rows_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  const Plan<T> plan(g, true);
  if (plan.phases == 1)
    run_planes<T, 1, 1>(plan, g, gy, w, nullptr, beta, gx);
  else
    run_planes<T, 1, 2>(plan, g, gy, w, nullptr, beta, gx);
}

template <class T>
void depthwise_rows_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  const Plan<T> plan(g, false);
  const auto meetings = plan.meetings();
  const auto add = [&](const T* plane, const T* gradient, T* sums) {
    if (plan.step == 1)
      weight_plane<T, 1>(plan, meetings, plane, gradient, sums);
    else
      weight_plane<T, 2>(plan, meetings, plane, gradient, sums);
  };
  depthwise_weight_sums(
      g, [&] { return add; }, x, gy, gw, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                                \
  template void depthwise_rows_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void depthwise_rows_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void depthwise_rows_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
