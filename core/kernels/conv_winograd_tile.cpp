#include <evenkeel/core/kernels/conv_winograd_tile.h>

#include <algorithm>

namespace evenkeel::kernels::winograd {

Correlation correlation(const ConvGeometry& g, WinogradForm form, bool turned) {
  Correlation c = forward_correlation(g);
  if (turned) {
    c.source = as_volume(g.rank, g.out, 1);
    c.out = as_volume(g.rank, g.in, 1);
    for (auto& taps : c.at)
      for (std::int64_t& at : taps) at = -at;
  }
  c.turns = g.dilation[g.rank - 1];
  for (int axis = form == WinogradForm::squares ? 1 : 2; axis < 3; ++axis) {
    const std::int64_t turns = axis == 2 ? c.turns : 1;
    const std::int64_t first = std::min(c.at[axis].front(), c.at[axis].back());
    const auto kernel = static_cast<std::int64_t>(c.at[axis].size());
    c.at[axis].clear();
    for (std::int64_t tap = 0; tap < kernel; tap += kTaps) c.at[axis].push_back(first + tap * turns);
    c.out[axis] = quadruples(c.out[axis], turns);
    c.step[axis] = kOutputs;
    c.span[axis] = (kPoints - 1) * turns + 1;
  }
  return c;
}

void fill_tile(const TilePlan& plan, const Correlation& shape, const JoinedRows& joined, const Tile& t,
               const float* source, std::int64_t image_stride, std::int64_t channels, std::int64_t pitch,
               SquareRows* squares, float* to) {
  const std::int64_t length = shape.source[2];
  const auto fill = [&](auto&& make_row) { plan.fill_rows(t, source, image_stride, channels, to, make_row); };
  if (squares != nullptr)
    return fill([&](std::int64_t begin, std::int64_t at, std::int64_t count) {
      const std::int64_t first = at + kOutputs * begin;
      return SourceSquares(SourceRow<1>(joined, length, 1, begin, at, count, pitch), *squares,
                           std::max<std::int64_t>(first, 0),
                           std::min(first + kOutputs * count + kPoints - kOutputs, length), pitch);
    });
  for_turns(shape.turns, [&]<int kWidth>() {
    fill([&](std::int64_t begin, std::int64_t at, std::int64_t count) {
      return SourceRow<kWidth>(joined, length, shape.turns, begin, at, count, pitch);
    });
  });
}

}  // namespace evenkeel::kernels::winograd
