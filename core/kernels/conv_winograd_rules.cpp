#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/conv_winograd_rows.h>
#include <evenkeel/core/kernels/conv_winograd_tile.h>
#include <evenkeel/core/kernels/conv_winograd_transform.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

using winograd::kLanes;
using winograd::kOutputs;
using winograd::kPoints;
using winograd::kTaps;

/// Squares where rows take at least `least_gain` times their products, for at least `least_channels` in the
/// mean of both sides.
WinogradForm form_by(const ConvGeometry& g, double least_gain, std::int64_t least_channels) {
  constexpr std::int64_t kLeastSquares = 64, kManyChannels = 128, kLeastOfMany = 24;
  if (g.rank == 1) return WinogradForm::rows;
  const int high = g.rank - 2, wide = g.rank - 1;
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t channels = 2 * ins * outs / (ins + outs);
  if (g.dilation[high] != 1 || g.dilation[wide] != 1 || channels < least_channels) return WinogradForm::rows;
  const std::int64_t least = channels < kManyChannels ? kLeastSquares : kLeastOfMany;
  const std::int64_t kernel = g.kernel[high];
  for (const bool turned : {false, true}) {
    const auto& size = turned ? g.in : g.out;
    const std::int64_t squares = g.batch * as_volume(g.rank, size, 1)[0] * ceil_div(size[high], kOutputs) *
                                 ceil_div(size[wide], kOutputs);
    // Rows are walked over with the zeros between planes.
    const std::int64_t zeros =
        std::clamp<std::int64_t>(turned ? kernel - 1 - g.padding[high] : g.padding[high], 0, kernel - 1);
    const double gain =
        static_cast<double>(kernel * (size[high] + zeros)) /
        static_cast<double>(kPoints * ceil_div(kernel, kTaps) * ceil_div(size[high], kOutputs));
    if (squares < least || gain < least_gain) return WinogradForm::rows;
  }
  return WinogradForm::squares;
}

}  // namespace

WinogradForm winograd_form(const ConvGeometry& g) {
  constexpr double kLeastGain = 1.6;
  constexpr std::int64_t kLeastChannels = 24;
  return form_by(g, kLeastGain, kLeastChannels);
}

WinogradForm winograd_weight_grad_form(const ConvGeometry& g) {
  constexpr double kLeastGain = 2;
  constexpr std::int64_t kLeastChannels = 32, kMostWeights = 450;  // an output
  const std::int64_t weights =
      g.in_channels / g.groups * (g.out_channels / g.groups) * product(as_volume(g.rank, g.kernel, 1));
  // Sums at 36 points are read and written for every tile.
  if (weights > kMostWeights * g.batch * product(as_volume(g.rank, g.out, 1))) return WinogradForm::rows;
  return form_by(g, kLeastGain, kLeastChannels);
}

bool conv_winograd_pays(const ConvGeometry& g) {
  constexpr std::int64_t kFewChannels = 3, kFewOfFullLanes = 5, kSomeChannels = 16, kWideRow = 32;
  constexpr std::int64_t kManyPositions = 200, kManyOfNarrow = 800, kManyCells = 2000;
  constexpr double kLeastGain = 1.3, kLeastOfJoined = 1.2, kLeastOfVeryFew = 1.9, kLeastSaved = 0.06;
  // Share of the products that transforming a cell or a result back costs, for one product of each, and of
  // that what a lane costs that no quadruple fills.
  constexpr double kTransformCost = 3, kLaneCost = 0.75;
  for (int axis = 0; axis < g.rank; ++axis)
    if (g.stride[axis] != 1) return false;
  const int last = g.rank - 1;
  const std::int64_t kernel = g.kernel[last], turns = g.dilation[last];
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t channels = std::min(ins, outs), row = winograd::quadruples(g.out[last], turns);
  const std::int64_t positions =
      g.batch * std::min(product(as_volume(g.rank, g.in, 1)), product(as_volume(g.rank, g.out, 1)));
  const std::int64_t lines = product(as_volume(g.rank, g.kernel, 1)) / kernel;
  const bool narrow = row <= winograd::JoinedRows::kMost;
  const bool joined = narrow && turns == 1 && g.rank > 1 && kernel == kTaps && g.in[last] == g.out[last];
  const std::int64_t many = narrow && !joined && lines == 1 ? kManyOfNarrow : kManyPositions;
  const std::int64_t few = g.out[last] % kLanes == 0 ? kFewOfFullLanes : joined ? 1 : kFewChannels;
  if (channels * turns < few * winograd::lanes_a_turn(turns)) return false;
  if (positions < many || positions * channels < kManyCells) return false;
  // Products of the plain sum over those of the transformed one.
  const auto gain_of = [&](std::int64_t length) {
    return static_cast<double>(kernel * length) /
           static_cast<double>(kPoints * ceil_div(kernel, kTaps) * winograd::quadruples(length, turns));
  };
  const double gain = std::min(gain_of(g.in[last]), gain_of(g.out[last]));
  // The other paths take such rows one by one, and leave lanes empty.
  if (joined && channels < kSomeChannels)
    return gain > (channels < kFewChannels ? kLeastOfVeryFew : kLeastOfJoined);
  // Narrow rows are walked over with the gaps between them: those of the outer axes cost their share.
  double walked = 1;
  for (int axis = 0; axis < last && row < kWideRow; ++axis)
    walked *= static_cast<double>(std::max(g.in[axis] + g.padding[axis], g.out[axis])) /
              static_cast<double>(g.out[axis]);
  const double empty =
      joined ? 0 : static_cast<double>(ceil_div(row, kLanes) * kLanes - row) / static_cast<double>(row);
  const double spread = static_cast<double>(winograd::lanes_a_turn(turns)) / static_cast<double>(turns) *
                        (1 + kLaneCost * empty);
  const double transforms = kTransformCost * spread / static_cast<double>(lines) *
                            (1 / static_cast<double>(ins) + 1 / static_cast<double>(outs));
  return gain > kLeastGain && 1 - walked / gain > kLeastSaved + transforms;
}

bool conv_winograd_weight_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kFewChannels = 4, kManyCells = 16000, kMostSums = 2000;  // sums an output
  const int last = g.rank - 1;
  const std::int64_t turns = g.dilation[last];
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t channels = std::min(ins, outs);
  const std::int64_t positions = g.batch * product(as_volume(g.rank, g.out, 1));
  const std::int64_t lines = product(as_volume(g.rank, g.kernel, 1)) / g.kernel[last];
  const std::int64_t sums = ins * outs * lines * ceil_div(g.kernel[last], kTaps) * kPoints;
  return conv_winograd_pays(g) && channels * turns >= kFewChannels * winograd::lanes_a_turn(turns) &&
         channels * positions >= kManyCells && sums <= kMostSums * positions;
}

}  // namespace evenkeel::kernels
