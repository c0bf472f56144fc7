#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_planes.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/gemm_blocks.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <vector>

namespace evenkeel::kernels {

namespace {

using S = Simd<float>;
constexpr std::int64_t kLanes = S::kLanes;

/// Planes of all images with the channels of a cell side by side: [image][cell][channel], `pitch` apart.
class ChannelsLast {
 public:
  ChannelsLast(std::int64_t images, std::int64_t plane, std::int64_t channels)
      : images_(images),
        plane_(plane),
        channels_(channels),
        pitch_(ceil_div(channels, kLanes) * kLanes),
        cells_(static_cast<std::size_t>(images * plane * pitch_ + kLanes)) {}

  std::int64_t pitch() const { return pitch_; }
  float* image(std::int64_t image) const { return cells_.data() + image * plane_ * pitch_; }

  /// From planes [image][channel][cell], images `distance` apart.
  void copy(const float* from, std::int64_t distance) {
    each_block([&](std::int64_t image, std::int64_t c, int some) {
      transpose_to_lanes(from + image * distance + c * plane_, plane_, plane_, some, this->image(image) + c,
                         pitch_);
    });
  }

  /// To such planes, added to what is there with `add`.
  void copy_to(float* to, std::int64_t distance, bool add) const {
    each_block([&](std::int64_t image, std::int64_t c, int some) {
      float block[kLanes * kLanes];
      for (std::int64_t cell = 0; cell < plane_; cell += kLanes) {
        const std::int64_t count = std::min(plane_ - cell, kLanes);
        transpose_to_lanes(this->image(image) + cell * pitch_ + c, pitch_, some, static_cast<int>(count),
                           block, kLanes);
        float* row = to + image * distance + c * plane_ + cell;
        for (int r = 0; r < some; ++r, row += plane_) {
          auto value = S::load(block + r * kLanes);
          if (add) value += S::load_between(row, 0, 0, count);
          S::store_some(row, value, count);
        }
      }
    });
  }

 private:
  template <class F>
  void each_block(F&& f) const {
    const std::int64_t blocks = pitch_ / kLanes;
    detail::parallel_ranges(images_ * blocks, ceil_div(1 << 14, plane_ * kLanes),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const std::int64_t c = i % blocks * kLanes;
                                f(i / blocks, c, static_cast<int>(std::min(channels_ - c, kLanes)));
                              }
                            });
  }

  std::int64_t images_, plane_, channels_, pitch_;
  mutable detail::Workspace<float> cells_;
};

/// Which cells the outputs read, as offsets into an image of ChannelsLast.
class CellOffsets {
 public:
  CellOffsets(const Correlation& shape, std::int64_t pitch) : out_(shape.out) {
    const Sizes3 distance{shape.source[1] * shape.source[2] * pitch, shape.source[2] * pitch, pitch};
    for (int axis = 0; axis < 3; ++axis)
      for (const std::int64_t at : shape.at[axis])
        for (std::int64_t q = 0; q < out_[axis]; ++q) {
          const std::int64_t cell = q * shape.step[axis] + at;
          along_[axis].push_back(cell < 0 || cell >= shape.source[axis] ? -1 : cell * distance[axis]);
        }
    for (std::size_t d = 0; d < shape.at[0].size(); ++d)
      for (std::size_t h = 0; h < shape.at[1].size(); ++h)
        for (std::size_t w = 0; w < shape.at[2].size(); ++w)
          taps_.push_back({along_[0].data() + static_cast<std::int64_t>(d) * out_[0],
                           along_[1].data() + static_cast<std::int64_t>(h) * out_[1],
                           along_[2].data() + static_cast<std::int64_t>(w) * out_[2]});
  }

  /// An output's place in its image.
  Sizes3 place(std::int64_t output) const {
    return {output / (out_[1] * out_[2]), output / out_[2] % out_[1], output % out_[2]};
  }
  /// Of the cell that it reads by a tap, negative outside the source.
  std::int64_t offset(const Sizes3& place, std::int64_t tap) const {
    const auto& along = taps_[tap];
    const std::int64_t d = along[0][place[0]], h = along[1][place[1]], w = along[2][place[2]];
    return (d | h | w) < 0 ? -1 : d + h + w;
  }

 private:
  Sizes3 out_;
  std::vector<std::int64_t> along_[3];
  std::vector<std::array<const std::int64_t*, 3>> taps_;
};

/// The cells of a group's channels and which of them the outputs of all images read.
class Source {
 public:
  Source(const Correlation& shape, std::int64_t images, std::int64_t channels)
      : cells_(images, product(shape.source), channels),
        offsets_(shape, cells_.pitch()),
        outputs_(product(shape.out)),
        nothing_(static_cast<std::size_t>(cells_.pitch() + kLanes)) {}

  void copy(const float* from, std::int64_t distance) { cells_.copy(from, distance); }

  struct Place {
    const float* image;
    Sizes3 at;
  };
  /// `output` counts through all images.
  Place place(std::int64_t output) const {
    return {cells_.image(output / outputs_), offsets_.place(output % outputs_)};
  }
  /// The channels of the cell that an output reads by a tap; zeros outside.
  const float* cell(const Place& p, std::int64_t tap) const {
    const std::int64_t offset = offsets_.offset(p.at, tap);
    return offset < 0 ? nothing() : p.image + offset;
  }
  const float* nothing() const { return nothing_.data(); }

 private:
  ChannelsLast cells_;
  CellOffsets offsets_;
  std::int64_t outputs_;
  std::vector<float> nothing_;
};

/// Columns of the cells that the outputs of all images read. Step c * channel_step + tap * tap_step is a
/// channel's tap.
struct GatheredColumns : Planes {
  const Source& cells;
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
      Source::Place places[kStripWidth];
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
  const Source& cells;
  std::int64_t channels;
  float* sums;
  std::int64_t pitch;
  bool add = false;
  const float* bias = nullptr;

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
      const Source::Place place = cells.place(first + p);
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

/// Whether an output's row is so narrow, and its cells are read so few times each, that gathering pays.
bool narrow(const Correlation& shape) {
  constexpr std::int64_t kNarrow = 4, kHardlyNarrow = 8, kSmallPlane = 9;
  return shape.out[2] <= kNarrow || product(shape.out) <= kSmallPlane ||
         (shape.out[2] <= kHardlyNarrow && shape.taps() <= product(shape.step));
}

bool many_channels(std::int64_t from, std::int64_t to) {
  constexpr std::int64_t kLeast = 8;
  return kWidePaths && std::min(from, to) >= kLeast;
}

}  // namespace

bool conv_columns_pay(const ConvPass<float>& pass) {
  constexpr std::int64_t kManyRows = 32, kMostUses = 8, kWeightsAnOutput = 40000;
  const std::int64_t taps = pass.shape.taps();
  const bool one_phase =
      pass.phases.size() == 1 && static_cast<std::int64_t>(pass.phases[0].tap.size()) == taps;
  if (!one_phase || !many_channels(pass.channels, pass.rows)) return false;
  if (pass.rows * pass.channels * taps >= kWeightsAnOutput * pass.images * product(pass.shape.out))
    return true;
  return narrow(pass.shape) && (pass.rows >= kManyRows || taps <= kMostUses * product(pass.shape.step));
}

void conv_by_columns(const ConvPass<float>& pass) {
  constexpr std::int64_t kManyTaps = 64;
  const std::int64_t taps = pass.shape.taps(), plane = product(pass.size), count = pass.images * plane;
  const std::int64_t channels = pass.channels, steps = channels * taps;
  const std::int64_t source = channels * product(pass.shape.source);
  Source cells(pass.shape, pass.images, channels);
  // Steps in the order of the weights, taps fastest, or where many outputs are worth turning them, channels.
  const bool turned = count > 2 * pass.rows || taps > kManyTaps;
  detail::Workspace<float> weights(turned ? static_cast<std::size_t>(pass.rows * steps) : 0);
  for (std::int64_t group = 0; group < pass.groups; ++group) {
    cells.copy(pass.source + group * source, pass.groups * source);
    const float* w = pass.w + group * pass.group_stride;
    if (turned)
      detail::parallel_ranges(pass.rows, ceil_div(1 << 14, steps), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r)
          transpose(w + r * pass.row_stride, taps, channels, pass.channel_stride, weights.data() + r * steps);
      });
    const Operand left = turned ? Operand{weights.data(), 1, steps}
                                : Operand{w, 1, pass.row_stride, taps, pass.channel_stride};
    const Planes planes{pass.target + group * pass.rows * plane, pass.groups * pass.rows * plane, plane,
                        pass.beta != 0, pass.bias == nullptr ? nullptr : pass.bias + group * pass.rows};
    multiply_packed(PackedRows(left, pass.rows, steps), count,
                    GatheredColumns{planes, cells, channels, taps, turned ? 1 : taps, turned ? channels : 1});
  }
}

bool conv_columns_weight_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kNarrow = 4, kHardlyNarrow = 8, kWide = 16, kLeast = 12;
  constexpr std::int64_t kManyWeights = 1600, kMostWeights = 40000;  // an output
  if (!kWidePaths) return false;
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups, taps = shape.taps();
  const std::int64_t width = shape.out[2], outputs = g.batch * product(shape.out);
  if (outputs == 0 || ins < kLeast || outs < 2) return false;
  if (width <= kNarrow || (width <= kHardlyNarrow && taps <= product(shape.step))) return true;
  const std::int64_t weights = many_channels(ins, outs) ? ins * outs * taps : 0;
  return weights >= (width <= kWide ? kManyWeights : kMostWeights) * outputs;
}

void conv_columns_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw, float beta) {
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t taps = shape.taps(), outputs = product(shape.out);
  const std::int64_t source = ins * product(shape.source);
  Source cells(shape, g.batch, ins);
  detail::Workspace<float> sums(static_cast<std::size_t>(outs * taps * ins));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    cells.copy(x + group * source, g.groups * source);
    const Operand left{gy + group * outs * outputs, 1, outputs, outputs, g.out_channels * outputs};
    multiply_packed(PackedRows(left, outs, g.batch * outputs), taps * ins,
                    WeightColumns{cells, ins, sums.data(), taps * ins});
    // From [tap][channel] to [channel][tap].
    detail::parallel_ranges(outs, ceil_div(1 << 14, taps * ins), [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> row(static_cast<std::size_t>(taps * ins));
      for (std::int64_t o = begin; o < end; ++o) {
        transpose(sums.data() + o * taps * ins, ins, taps, ins, row.data());
        float* to = gw + (group * outs + o) * taps * ins;
        for (std::int64_t i = 0; i < taps * ins; ++i) to[i] = row[i] + (beta == 0 ? 0.0f : to[i]);
      }
    });
  }
}

bool conv_columns_input_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kManyChannels = 32, kSomeChannels = 16, kNarrow = 3, kFew = 64, kMostSums = 1 << 21;
  const Sizes3 in = as_volume(g.rank, g.in, 1), stride = as_volume(g.rank, g.stride, 1);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t an_image = product(as_volume(g.rank, g.out, 1)), outputs = g.batch * an_image;
  if (outputs == 0 || outs < kSomeChannels || !many_channels(ins, outs)) return false;
  if (an_image * product(as_volume(g.rank, g.kernel, 1)) * ins > kMostSums) return false;
  Sizes3 phase{};
  for (int axis = 0; axis < 3; ++axis) phase[axis] = ceil_div(in[axis], stride[axis]);
  // What a turned convolution sums, so many cells of each phase, over what this one does.
  const double waste = static_cast<double>(g.batch * product(phase)) / static_cast<double>(outputs);
  if (outs < kManyChannels) return waste >= 3;
  return waste >= (conv_winograd_pays(g) ? 2.75 : 1.75) ||
         (product(stride) > 1 && (phase[2] <= kNarrow || g.batch * product(phase) <= kFew));
}

void conv_columns_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx, float beta) {
  constexpr std::int64_t kMostSums = 1 << 19, kLeastRows = 56;
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  const std::int64_t taps = shape.taps(), outputs = product(shape.out), plane = product(shape.source);
  const std::int64_t width = taps * ins, rows = std::max(kMostSums / width, kLeastRows);
  const std::int64_t together = std::clamp<std::int64_t>(rows / outputs, 1, g.batch);
  ChannelsLast gradient(g.batch, outputs, outs), result(g.batch, plane, ins);
  const CellOffsets offsets(shape, result.pitch());
  detail::Workspace<float> weights(static_cast<std::size_t>(outs * width));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    gradient.copy(gy + group * outs * outputs, g.out_channels * outputs);
    // Of each output channel as [tap][channel].
    detail::parallel_ranges(outs, ceil_div(1 << 14, width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o)
        transpose(w + (group * outs + o) * width, taps, ins, taps, weights.data() + o * width);
    });
    detail::parallel_ranges(ceil_div(g.batch, together), 1, [&](std::int64_t begin, std::int64_t end) {
      detail::Workspace<float> sums(static_cast<std::size_t>(together * outputs * width + kLanes));
      for (std::int64_t image = begin * together; image < std::min(end * together, g.batch);
           image += together) {
        const std::int64_t images = std::min(together, g.batch - image);
        multiply_packed(PackedRows({gradient.image(image), 1, gradient.pitch()}, images * outputs, outs),
                        width, MatrixColumns{{weights.data(), width, 1}, sums.data(), width, false});
        // Each product to the cell it was read from, vectors of channels at a time.
        const std::int64_t blocks = result.pitch() / kLanes;
        detail::parallel_ranges(images * blocks, ceil_div(1 << 15, outputs * taps * kLanes),
                                [&](std::int64_t first, std::int64_t last) {
                                  for (std::int64_t i = first; i < last; ++i) {
                                    const std::int64_t c = i % blocks * kLanes;
                                    float* to = result.image(image + i / blocks) + c;
                                    for (std::int64_t cell = 0; cell < plane; ++cell)
                                      S::store(to + cell * result.pitch(), S::Vector{});
                                    for (std::int64_t output = 0; output < outputs; ++output) {
                                      const Sizes3 place = offsets.place(output);
                                      const float* from =
                                          sums.data() + (i / blocks * outputs + output) * width + c;
                                      for (std::int64_t tap = 0; tap < taps; ++tap, from += ins)
                                        if (const std::int64_t at = offsets.offset(place, tap); at >= 0)
                                          S::store(to + at, S::load(to + at) + S::load(from));
                                    }
                                  }
                                });
      }
    });
    result.copy_to(gx + group * ins * plane, g.in_channels * plane, beta != 0);
  }
}

}  // namespace evenkeel::kernels
