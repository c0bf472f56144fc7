#include <evenkeel/core/kernels/conv_cells.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_planes.h>
#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <vector>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kLanes = S::kLanes;

/// Columns of the cells that the outputs of all images read. Step c * channel_step + tap * tap_step is a
/// channel's tap.
struct GatheredColumns : Planes {
  const CellSource& cells;
  std::int64_t channels, taps, channel_step, tap_step;

  void pack(std::int64_t first, std::int64_t steps, std::int64_t j, std::int64_t width,
            std::int64_t strip_size, float* to) const {
    std::vector<std::int64_t> begin, end;  // channels of each tap
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (auto* ends : {&begin, &end}) {
        const std::int64_t step = first + (ends == &end ? steps : 0) - tap * tap_step;
        ends->push_back(std::min(ceil_div(std::max<std::int64_t>(step, 0), channel_step), channels));
      }
    for (std::int64_t s = 0; s < width; s += kStripWidth, to += strip_size) {
      const std::int64_t wide = strip_pitch(width - s), some = std::min(width - s, kStripWidth);
      CellSource::Place places[kStripWidth];
      for (std::int64_t i = 0; i < some; ++i) places[i] = cells.place(j + s + i);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int64_t c = begin[tap];
        if (c == end[tap]) continue;
        float* row = to + (c * channel_step + tap * tap_step - first) * wide;
        for (std::int64_t v = 0; v < wide; v += kLanes) {
          const float* from[kLanes];
          for (std::int64_t i = 0; i < kLanes; ++i)
            from[i] = (v + i < some ? cells.cell(places[v + i], tap) : cells.nothing()) + c;
          gather_to_lanes(from, end[tap] - c, row + v, channel_step * wide);
        }
      }
    }
  }
};

/// Columns of single channels and taps, channels fastest; steps run over the outputs of all images.
struct WeightColumns {
  const CellSource& cells;
  std::int64_t channels;
  float* sums;
  std::int64_t pitch;
  bool add = false;
  const float* bias = nullptr;
  static constexpr bool kMatrix = false;

  void pack(std::int64_t first, std::int64_t steps, std::int64_t j, std::int64_t width,
            std::int64_t strip_size, float* to) const {
    // Pieces of the strips that hold channels of one tap.
    struct Piece {
      std::int64_t tap, channel, pitch, room;
      float* to;
    };
    std::vector<Piece> pieces;
    for (std::int64_t at = 0, some = 0; at < width; at += some) {
      const std::int64_t strip = at / kStripWidth, in_strip = at % kStripWidth, c = (j + at) % channels;
      const std::int64_t wide = strip_pitch(width - strip * kStripWidth);
      const std::int64_t room = std::min(wide - in_strip, kLanes);
      some = std::min({channels - c, width - at, room});
      pieces.push_back({(j + at) / channels, c, wide, room, to + strip * strip_size + in_strip});
    }
    for (std::int64_t p = 0; p < steps; ++p) {
      const CellSource::Place place = cells.place(first + p);
      for (Piece& piece : pieces) {
        S::store_some(piece.to, S::load(cells.cell(place, piece.tap) + piece.channel), piece.room);
        piece.to += piece.pitch;
      }
    }
  }
  float* whole(std::int64_t j, std::int64_t) const { return sums + j; }
  template <class F>
  void each_piece(std::int64_t j, std::int64_t width, F&& f) const {
    f(0, width, sums + j);
  }
};

}  // namespace

bool conv_columns_pay(const ConvPass<float>& pass) {
  constexpr std::int64_t kManyRows = 128, kMostOutputs = 512, kSomeChannels = 10;
  constexpr std::int64_t kSmallPlane = 28, kMostTaps = 27, kFewCells = 896, kSomeWeights = 4;  // an output
  constexpr double kMostlyRead = 0.76, kMuchBetterFill = 5.3;
  const std::int64_t taps = pass.shape.taps(), plane = product(pass.shape.out), count = pass.images * plane;
  const bool one_phase =
      pass.phases.size() == 1 && static_cast<std::int64_t>(pass.phases[0].tap.size()) == taps;
  if (!kWidePaths || !one_phase || taps == 1) return false;
  const bool some_channels = pass.channels >= kSomeChannels;
  if (some_channels && pass.rows >= kManyRows && count <= kMostOutputs &&
      pass.shape.rows_read() >= kMostlyRead)
    return true;
  if (plane <= kSmallPlane && taps <= kMostTaps && pass.images * product(pass.shape.source) <= kFewCells &&
      pass.rows * pass.channels * taps >= kSomeWeights * count)
    return true;
  return some_channels && lanes_filled(pass.rows) >= kMuchBetterFill * lanes_filled(pass.shape.out[2]);
}

void conv_by_columns(const ConvPass<float>& pass) {
  constexpr std::int64_t kManyTaps = 64;
  const std::int64_t taps = pass.shape.taps(), plane = product(pass.size), count = pass.images * plane;
  const std::int64_t channels = pass.channels, steps = channels * taps;
  const std::int64_t source = channels * product(pass.shape.source);
  CellSource cells(pass.shape, pass.images, channels);
  // Steps in the order of the weights, taps fastest, or where many outputs are worth turning them, channels.
  const bool turned = count > 2 * pass.rows || taps > kManyTaps;
  detail::Workspace<float> weights(turned ? static_cast<std::size_t>(pass.rows * steps) : 0);
  for (std::int64_t group = 0; group < pass.groups; ++group) {
    cells.copy(pass.source + group * source, pass.groups * source);
    const float* w = pass.w + group * pass.group_stride;
    if (turned)
      detail::parallel_shares(pass.rows, ceil_div(kWorthMoving, steps),
                              [&](std::int64_t begin, std::int64_t end) {
                                for (std::int64_t r = begin; r < end; ++r)
                                  transpose(w + r * pass.row_stride, taps, channels, pass.channel_stride,
                                            weights.data() + r * steps);
                              });
    const bool dense = pass.channel_stride == taps;
    const Operand left = turned  ? Operand{weights.data(), 1, steps}
                         : dense ? Operand{w, 1, pass.row_stride}
                                 : Operand{w, 1, pass.row_stride, taps, pass.channel_stride};
    const Planes planes{pass.target + group * pass.rows * plane, pass.groups * pass.rows * plane, plane,
                        pass.beta != 0, pass.bias == nullptr ? nullptr : pass.bias + group * pass.rows};
    multiply(ProductRows(left, pass.rows, steps, 1, count), count,
             GatheredColumns{planes, cells, channels, taps, turned ? 1 : taps, turned ? channels : 1});
  }
}

bool conv_columns_weight_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kVeryNarrow = 2, kHardlyWide = 20, kLeastOuts = 2, kLeastIns = 8;
  constexpr std::int64_t kSomeTaps = 5, kManyTaps = 16, kManyWeights = 1 << 19;
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups, taps = shape.taps();
  const std::int64_t width = shape.out[2];
  if (!kWidePaths || g.batch * product(shape.out) == 0 || outs < kLeastOuts || ins < kLeastIns) return false;
  if (width <= kVeryNarrow && taps >= kManyTaps) return true;
  return width <= kHardlyWide && taps >= kSomeTaps && ins * outs * taps >= kManyWeights;
}

void conv_columns_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw, float beta) {
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t taps = shape.taps(), outputs = product(shape.out);
  const std::int64_t source = ins * product(shape.source);
  CellSource cells(shape, g.batch, ins);
  detail::Workspace<float> sums(static_cast<std::size_t>(outs * taps * ins));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    cells.copy(x + group * source, g.groups * source);
    const Operand left{gy + group * outs * outputs, 1, outputs, outputs, g.out_channels * outputs};
    multiply(ProductRows(left, outs, g.batch * outputs), taps * ins,
             WeightColumns{cells, ins, sums.data(), taps * ins});
    // From [tap][channel] to [channel][tap].
    detail::parallel_shares(outs, ceil_div(kWorthMoving, taps * ins),
                            [&](std::int64_t begin, std::int64_t end) {
                              ScratchVector<float> row(static_cast<std::size_t>(taps * ins));
                              for (std::int64_t o = begin; o < end; ++o) {
                                transpose(sums.data() + o * taps * ins, ins, taps, ins, row.data());
                                float* to = gw + (group * outs + o) * taps * ins;
                                for (std::int64_t i = 0; i < taps * ins; ++i)
                                  to[i] = row[i] + (beta == 0 ? 0.0f : to[i]);
                              }
                            });
  }
}

}  // namespace evenkeel::kernels
