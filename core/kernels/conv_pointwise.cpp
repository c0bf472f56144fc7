#include <evenkeel/core/kernels/conv_planes.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/storage.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;

/// The cells of a group's channels of all images, one image after another.
struct CellColumns : Planes {
  const float* source;
  std::int64_t source_image;  ///< distance of images

  void pack(std::int64_t first, std::int64_t steps, std::int64_t j, std::int64_t width,
            std::int64_t strip_size, float* to) const {
    StepCopies copies(2 * ceil_div(width, S::kLanes));
    each_image(j, width, [&](std::int64_t at, std::int64_t count, std::int64_t image, std::int64_t cell) {
      const float* from = source + image * source_image + cell;
      for (std::int64_t i = 0, some = 0; i < count; i += some) {
        const std::int64_t strip = (at + i) / kStripWidth, in_strip = (at + i) % kStripWidth;
        const std::int64_t wide = strip_pitch(width - strip * kStripWidth);
        const std::int64_t room = std::min<std::int64_t>(wide - in_strip, S::kLanes);
        some = std::min(count - i, room);
        copies.add(from + i, some, to + strip * strip_size + in_strip, wide, room);
      }
    });
    copies.run({nullptr, pitch, 1}, first, steps);
  }
};

/// to[i * step] = from[i] for i < count and zero between, up to `length` cells; with add, added there alone.
void spread(const float* from, std::int64_t count, std::int64_t step, std::int64_t length, bool add,
            float* to) {
  if (add) {
    for (std::int64_t i = 0; i < count; ++i) to[i * step] += from[i];
  } else if (step == 2) {
    for (std::int64_t i = 0; 2 * i < length; i += S::kLanes) {
      const auto cells = S::load_between(from, i, 0, count);
      S::store_some(to + 2 * i, interleave<float, 0>(cells, S::Vector{}), length - 2 * i);
      if (2 * i + S::kLanes < length)
        S::store_some(to + 2 * i + S::kLanes, interleave<float, 1>(cells, S::Vector{}),
                      length - 2 * i - S::kLanes);
    }
  } else {
    std::fill_n(to, length, 0.0f);
    for (std::int64_t i = 0; i < count; ++i) to[i * step] = from[i];
  }
}

/// The planes of `out` to every stride-th cell of each axis of the planes of gx.
void spread_planes(const ConvGeometry& g, const float* from, bool add, float* gx) {
  const Sizes3 in = as_volume(g.rank, g.in, 1), out = as_volume(g.rank, g.out, 1);
  const Sizes3 step = as_volume(g.rank, g.stride, 1);
  const auto plane = [&](const float* cells, float* to) {
    for (std::int64_t d = 0, next_d = 0; d < in[0]; ++d) {
      const bool some = d == next_d * step[0] && next_d < out[0];
      for (std::int64_t h = 0, next_h = 0; h < in[1]; ++h, to += in[2]) {
        if (some && h == next_h * step[1] && next_h < out[1]) {
          spread(cells + (next_d * out[1] + next_h) * out[2], out[2], step[2], in[2], add, to);
          ++next_h;
        } else if (!add) {
          std::fill_n(to, in[2], 0.0f);
        }
      }
      if (some) ++next_d;
    }
  };
  detail::parallel_shares(g.batch * g.in_channels, ceil_div(1 << 15, product(in)),
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t i = begin; i < end; ++i)
                              plane(from + i * product(out), gx + i * product(in));
                          });
}

bool at_every_cell(const ConvGeometry& g) {
  return as_volume(g.rank, g.in, 1) == as_volume(g.rank, g.out, 1);
}

constexpr int kMaxStep = 4;  ///< strides up to which rows are thinned by vectors

/// to[i] = row[i * step] for i < count, of a row of `length` cells.
void thin_row(const float* row, std::int64_t length, std::int64_t step, std::int64_t count, float* to) {
  const auto by_vectors = [&]<int kStep>() {
    for (std::int64_t i = 0; i < count; i += S::kLanes) {
      S::Vector v[kStep];
      for (int part = 0; part < kStep; ++part)
        v[part] = S::load_between(row, i * kStep + std::int64_t{part} * S::kLanes, 0, length);
      S::store_some(to + i, every<float, kStep, 0>(v), count - i);
    }
    return true;
  };
  const auto one_of = [&]<int... kLess>(std::integer_sequence<int, kLess...>) {
    return ((step == kLess + 1 && by_vectors.template operator()<kLess + 1>()) || ...);
  };
  if (!one_of(std::make_integer_sequence<int, kMaxStep>{}))
    for (std::int64_t i = 0; i < count; ++i) to[i] = row[i * step];
}

/// The cells of x that are read, as dense planes; x itself where all are.
class ReadCells {
 public:
  ReadCells(const ConvGeometry& g, const float* x)
      : cells_(at_every_cell(g) ? 0
                                : static_cast<std::size_t>(g.batch * g.in_channels *
                                                           product(as_volume(g.rank, g.out, 1)))),
        data_(at_every_cell(g) ? x : cells_.data()) {
    if (at_every_cell(g)) return;
    const Sizes3 in = as_volume(g.rank, g.in, 1), out = as_volume(g.rank, g.out, 1);
    const Sizes3 step = as_volume(g.rank, g.stride, 1);
    detail::parallel_shares(g.batch * g.in_channels, ceil_div(1 << 13, product(out)),
                            [&](std::int64_t begin, std::int64_t end) {
                              float* to = cells_.data() + begin * product(out);
                              for (std::int64_t i = begin; i < end; ++i)
                                for (std::int64_t d = 0; d < out[0]; ++d)
                                  for (std::int64_t h = 0; h < out[1]; ++h, to += out[2])
                                    thin_row(x + ((i * in[0] + d * step[0]) * in[1] + h * step[1]) * in[2],
                                             in[2], step[2], out[2], to);
                            });
  }

  const float* data() const { return data_; }

 private:
  detail::Workspace<float> cells_;
  const float* data_;
};

/// A kernel of one cell that starts where the input does.
bool one_cell(const ConvGeometry& g) {
  for (int axis = 0; axis < g.rank; ++axis)
    if (g.kernel[axis] != 1 || g.padding[axis] != 0 || (g.out[axis] - 1) * g.stride[axis] >= g.in[axis])
      return false;
  return true;
}

/// Whether sums over `channels` for `cells` cells of all images pay for the packing of both operands.
bool sums_pay(std::int64_t channels, std::int64_t cells) {
  constexpr std::int64_t kManyChannels = 25, kSomeChannels = 13, kSomeCells = 4000;
  constexpr std::int64_t kFewChannels = 5, kFewCells = 500;
  return channels >= (cells <= kFewCells    ? kFewChannels
                      : cells <= kSomeCells ? kSomeChannels
                                            : kManyChannels);
}

std::int64_t cells_written(const ConvGeometry& g) { return g.batch * product(as_volume(g.rank, g.out, 1)); }

}  // namespace

bool conv_pointwise_pays(const ConvGeometry& g) {
  // Cells are thinned out first, which many outputs pay for.
  constexpr std::int64_t kManyOuts = 33, kSomeOuts = 17, kFewCells = 300;
  if (!kWidePaths || !one_cell(g)) return false;
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  if (!at_every_cell(g) && outs < (cells_written(g) <= kFewCells ? kSomeOuts : kManyOuts)) return false;
  return sums_pay(ins, cells_written(g));
}

bool conv_pointwise_input_grad_pays(const ConvGeometry& g) {
  // With strides the direct path weaves the zeros of a row in, and would compute those of whole rows.
  constexpr std::int64_t kSomeChannels = 5;
  if (!kWidePaths || !one_cell(g)) return false;
  const std::int64_t outs = g.out_channels / g.groups;
  return (!at_every_cell(g) && g.rank > 1 && outs >= kSomeChannels) || sums_pay(outs, cells_written(g));
}

bool conv_pointwise_weight_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kSomeChannels = 5, kWeightsACell = 8, kWeightsAThinnedCell = 16;
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  return kWidePaths && one_cell(g) && std::min(ins, outs) >= kSomeChannels &&
         ins * outs >= (at_every_cell(g) ? kWeightsACell : kWeightsAThinnedCell) * cells_written(g);
}

void conv_pointwise_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                            float* y) {
  const std::int64_t cells = product(as_volume(g.rank, g.out, 1));
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const ReadCells read(g, x);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const Planes results{y + group * outs * cells, g.out_channels * cells, cells, false,
                         bias == nullptr ? nullptr : bias + group * outs};
    const CellColumns columns{results, read.data() + group * ins * cells, g.in_channels * cells};
    const Operand weights{w + group * outs * ins, 1, ins};
    multiply(ProductRows(weights, outs, ins, 1, g.batch * cells), g.batch * cells, columns);
  }
}

void conv_pointwise_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx,
                               float beta) {
  const std::int64_t cells = product(as_volume(g.rank, g.out, 1));
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const bool dense = at_every_cell(g);
  detail::Workspace<float> between(dense ? 0 : static_cast<std::size_t>(g.batch * g.in_channels * cells));
  float* to = dense ? gx : between.data();
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const Planes results{to + group * ins * cells, g.in_channels * cells, cells, dense && beta != 0};
    const CellColumns columns{results, gy + group * outs * cells, g.out_channels * cells};
    const Operand weights{w + group * outs * ins, ins, 1};
    multiply(ProductRows(weights, ins, outs), g.batch * cells, columns);
  }
  if (!dense) spread_planes(g, between.data(), beta != 0, gx);
}

void conv_pointwise_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                                float beta) {
  const std::int64_t cells = product(as_volume(g.rank, g.out, 1));
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const ReadCells read(g, x);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const Operand left{gy + group * outs * cells, 1, cells, cells, g.out_channels * cells};
    const Operand right{read.data() + group * ins * cells, 1, cells, cells, g.in_channels * cells};
    multiply(ProductRows(left, outs, g.batch * cells), ins,
             MatrixColumns{right, gw + group * outs * ins, ins, beta != 0});
  }
}

}  // namespace evenkeel::kernels
