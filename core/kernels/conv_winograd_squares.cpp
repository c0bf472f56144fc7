#include <evenkeel/core/kernels/conv_winograd_squares.h>

#include <algorithm>

namespace evenkeel::kernels::winograd {

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
