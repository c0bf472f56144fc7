#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_pass.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/conv_winograd_rows.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <utility>

namespace evenkeel::kernels {

namespace {

using winograd::kLanes;
using winograd::kOutputs;
using winograd::kPoints;
using winograd::kTaps;

constexpr std::int64_t kSumLength = 128;        ///< products added before a block goes back to memory
constexpr std::int64_t kTileBytes = 400 << 10;  ///< cells and sums of a tile
constexpr std::int64_t kPositions = 256;        ///< most quadruples of outputs in a tile
constexpr std::int64_t kSumsBytes = 800 << 10;  ///< sums of row blocks that are gone on with
constexpr std::int64_t kFewPositions = 128;     ///< that do not read transformed weights twice
constexpr std::int64_t kFarBytes = 2 << 20;     ///< of transformed weights that leave the L2 cache

/// A pass whose shape has outputs of the last axis in quadruples and its taps in pieces of three.
struct Pass : ConvPass<float> {
  std::int64_t kernel;  ///< taps of the last axis
  bool turned;          ///< they come last tap first
};

Pass winograd_pass(const ConvGeometry& g, ConvPass<float> plain, bool turned) {
  plain.shape = winograd_correlation(g, turned);
  return {std::move(plain), g.kernel[g.rank - 1], turned};
}

class Runner {
 public:
  explicit Runner(const Pass& pass)
      : p_(pass),
        blocks_(pass.rows),
        taps_(pass.shape.taps()),
        point_weights_(p_.groups * p_.rows * p_.channels * taps_),
        in_passing_(kPoints * point_weights_ * static_cast<std::int64_t>(sizeof(float)) > kFarBytes &&
                    pass.images * product(pass.shape.out) <= kFewPositions),
        block_channels_(
            ceil_div(p_.channels, ceil_div(p_.channels, std::max<std::int64_t>(kSumLength / taps_, 1)))),
        plan_(pass.shape, pass.images, positions(),
              in_passing_ ? 1
                          : least_tiles(pass.rows * pass.channels * taps_ * kPoints,
                                        pass.images * pass.channels * product(pass.shape.source) * kPoints /
                                            kOutputs),
              pass.rows, TilePlan::Strides::apart, kLanes),
        point_cells_(plan_.size(block_channels_)),
        joined_(p_.size[2]),
        packed_(static_cast<std::size_t>(in_passing_ ? 0 : kPoints * point_weights_)) {
    for (std::int64_t c = 0; c < block_channels_; ++c)
      for (const std::int32_t tap : plan_.tap_offsets())
        offsets_.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + tap);
  }

  void run() {
    if (!in_passing_) pack();
    const std::int64_t lanes = kPoints * plan_.walk(plan_.full());
    share_tiles(
        plan_.tiles(), p_.groups, blocks_.count, lanes * p_.channels * taps_ * p_.rows,
        [&] { return Worker(*this); },
        in_passing_ ? ceil_div(lanes * p_.rows * static_cast<std::int64_t>(sizeof(float)), kSumsBytes) : 1);
  }

 private:
  std::int64_t positions() const {
    if (in_passing_) return kPositions;
    const std::int64_t pieces = static_cast<std::int64_t>(p_.shape.at[2].size());
    const std::int64_t fits = kTileBytes / (kPoints * static_cast<std::int64_t>(sizeof(float))) /
                              (block_channels_ * pieces + p_.rows);
    return std::clamp<std::int64_t>(fits / (2 * kLanes) * (2 * kLanes), 4 * kLanes, kPositions);
  }

  /// Transformed weights in the order the blocks read them:
  /// [point][group][channel block][row block][channel, tap][row].
  void pack() {
    const micro::Weights<float> weights{p_.w, p_.group_stride, p_.row_stride, p_.channel_stride,
                                        weights_a_channel()};
    micro::pack_blocks(weights, p_.groups, p_.channels, block_channels_, blocks_, 1, p_.rows,
                       [&](std::int64_t group, std::int64_t block, std::int64_t first, std::int64_t channels,
                           const float* from, micro::RowLanes<float>& lanes) {
                         pack_block(block, channels, from, lanes,
                                    packed(0, group, first, blocks_.begin(block), channels), point_weights_);
                       });
  }

  /// Points of the transformed weights are `pitch` apart.
  void pack_block(std::int64_t block, std::int64_t channels, const float* from, micro::RowLanes<float>& lanes,
                  float* to, std::int64_t pitch) const {
    using S = Simd<float>;
    const std::int64_t height = blocks_.begin(block + 1) - blocks_.begin(block);
    const std::int64_t lines = taps_ / static_cast<std::int64_t>(p_.shape.at[2].size());
    lanes.each_channel(from, height, channels, [&](std::int64_t, const float* weights) {
      for (std::int64_t line = 0; line < lines; ++line)
        for (std::int64_t tap = 0; tap < p_.kernel; tap += kTaps, to += height)
          for (std::int64_t r = 0; r < height; r += kLanes) {
            const auto weight = [&](std::int64_t k) {
              if (k >= p_.kernel) return S::Vector{};
              const std::int64_t at = line * p_.kernel + (p_.turned ? p_.kernel - 1 - k : k);
              return S::load(weights + at * micro::RowLanes<float>::kPitch + r);
            };
            const auto values = winograd::transform_kernel(weight(tap), weight(tap + 1), weight(tap + 2));
            for (std::int64_t point = 0; point < kPoints; ++point)
              S::store_some(to + point * pitch + r, values[point], height - r);
          }
    });
  }

  /// Distance of the points of a block's weights where they are transformed in passing.
  std::int64_t own_pitch() const {
    return (blocks_.rows / blocks_.count + 1) * block_channels_ * taps_ + kLanes;
  }
  std::int64_t weights_a_channel() const {
    return taps_ / static_cast<std::int64_t>(p_.shape.at[2].size()) * p_.kernel;
  }

  float* packed(std::int64_t point, std::int64_t group, std::int64_t channel, std::int64_t row,
                std::int64_t channels) {
    return packed_.data() + point * point_weights_ +
           ((group * p_.channels + channel) * p_.rows + row * channels) * taps_;
  }

  /// One thread's scratch memory.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          sums_ld_((ceil_div(r_.plan_.walk(r_.plan_.full()), kLanes) | 1) * kLanes),
          cells_(static_cast<std::size_t>(kPoints * r_.point_cells_)),
          sums_(static_cast<std::size_t>(kPoints * p_.rows * sums_ld_ + kLanes)),
          weights_(static_cast<std::size_t>(r_.in_passing_ ? kPoints * r_.own_pitch() : 0)),
          row_lanes_(p_.row_stride, p_.channel_stride, r_.weights_a_channel()) {}

    /// Row blocks [first, last) of one tile of one group.
    void work(std::int64_t tile, std::int64_t group, std::int64_t first, std::int64_t last) {
      const Tile t = r_.plan_.tile(tile);
      const std::int64_t plane = product(p_.shape.source);
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        winograd::fill_tile(r_.plan_, p_.shape, r_.joined_, t, p_.source + (group * p_.channels + c) * plane,
                            p_.groups * p_.channels * plane, channels, r_.point_cells_, cells_.data());
        if (r_.in_passing_)
          multiply_in_passing(t, group, c, channels, first, last);
        else
          for (std::int64_t point = 0; point < kPoints; ++point)
            multiply(t, point, c, channels, first, last,
                     [&](std::int64_t row) { return r_.packed(point, group, c, row, channels); });
      }
      winograd::for_turns(p_.shape.turns, [&]<int kWidth>() {
        deliver<kWidth>(t, group, r_.blocks_.begin(first), r_.blocks_.begin(last));
      });
    }

   private:
    /// Transforms the weights of a block of rows just before they are read.
    void multiply_in_passing(const Tile& t, std::int64_t group, std::int64_t c, std::int64_t channels,
                             std::int64_t first, std::int64_t last) {
      const float* w = p_.w + group * p_.group_stride + c * p_.channel_stride;
      for (std::int64_t block = first; block < last; ++block) {
        r_.pack_block(block, channels, w + r_.blocks_.begin(block) * p_.row_stride, row_lanes_,
                      weights_.data(), r_.own_pitch());
        for (std::int64_t point = 0; point < kPoints; ++point)
          multiply(t, point, c, channels, block, block + 1,
                   [&](std::int64_t) { return weights_.data() + point * r_.own_pitch(); });
      }
    }

    template <class WeightsOf>
    void multiply(const Tile& t, std::int64_t point, std::int64_t c, std::int64_t channels,
                  std::int64_t first, std::int64_t last, WeightsOf weights_of) {
      const std::int64_t vectors = ceil_div(r_.plan_.walk(t), kLanes);
      const float* cells = cells_.data() + point * r_.point_cells_;
      float* sums = sums_.data() + point * p_.rows * sums_ld_;
      constexpr std::int64_t kAtOnce = 2;
      const std::int64_t together = micro::vectors_together(
          channels * r_.plan_.channel_size() * static_cast<std::int64_t>(sizeof(float)), vectors, kAtOnce);
      for (std::int64_t v = 0, end; v < vectors; v = end) {
        end =
            vectors - v <= together + 1 ? vectors : v + together;  // one alone would not pay for the weights
        for (std::int64_t block = first; block < last; ++block) {
          const std::int64_t row = r_.blocks_.begin(block);
          const auto height = static_cast<int>(r_.blocks_.begin(block + 1) - row);
          const float* weights = weights_of(row);
          for (std::int64_t j = v; j < end; j += kAtOnce) {
            const auto wide = static_cast<int>(std::min(kAtOnce, end - j));
            micro::Lanes lanes[kAtOnce];
            for (std::int64_t i = 0; i < wide; ++i)
              lanes[i] = {static_cast<std::int32_t>((j + i) * kLanes), kLanes, (j + i) * kLanes};
            micro::output_block<float>(height, wide)(channels * r_.taps_, weights, r_.offsets_.data(), cells,
                                                     lanes, sums + row * sums_ld_, sums_ld_, nullptr, c > 0);
          }
        }
      }
    }

    template <int kWidth>
    void deliver(const Tile& t, std::int64_t group, std::int64_t row_begin, std::int64_t row_end) const {
      const std::int64_t begin = kOutputs * t.begin[2], length = kOutputs * t.count[2];
      const std::int64_t pitch = r_.plan_.row_offset(0, 0, 1) - r_.plan_.row_offset(0, 0, 0);
      const bool joins = kWidth == 1 && r_.joined_.fits(p_.size[2], t.count[2], pitch);
      for (std::int64_t image = 0; image < t.images; ++image)
        for (std::int64_t row = row_begin; row < row_end; ++row) {
          const std::int64_t channel = group * p_.rows + row;
          const float bias = p_.bias != nullptr ? p_.bias[channel] : 0.0f;
          float* plane = p_.target + ((t.image + image) * p_.groups * p_.rows + channel) * product(p_.size);
          for (std::int64_t d = 0; d < t.count[0]; ++d) {
            if (joins) {
              float* to = plane + ((t.begin[0] + d) * p_.size[1] + t.begin[1]) * p_.size[2];
              fetch_to_write(to + product(p_.size), t.count[1] * p_.size[2]);
              winograd::deliver_rows(r_.joined_,
                                     sums_.data() + row * sums_ld_ + r_.plan_.row_offset(image, d, 0),
                                     p_.rows * sums_ld_, t.count[1], bias, p_.beta != 0, to);
              continue;
            }
            for (std::int64_t h = 0; h < t.count[1]; ++h) {
              float* to = plane + ((t.begin[0] + d) * p_.size[1] + t.begin[1] + h) * p_.size[2];
              fetch_to_write(to + product(p_.size) + begin, std::min(length, p_.size[2] - begin));
              winograd::deliver_row<kWidth>(sums_.data() + row * sums_ld_ + r_.plan_.row_offset(image, d, h),
                                            p_.rows * sums_ld_, p_.shape.turns, t.begin[2], t.count[2], bias,
                                            p_.beta != 0, to, p_.size[2]);
            }
          }
        }
    }

    Runner& r_;
    const Pass& p_;
    std::int64_t sums_ld_;
    mutable detail::Workspace<float> cells_, sums_, weights_;
    micro::RowLanes<float> row_lanes_;
  };

  const Pass& p_;
  micro::RowBlocks blocks_;
  std::int64_t taps_, point_weights_;
  bool in_passing_;  ///< weights, more than a cache holds, of a tile or two are transformed by whoever reads
                     ///< them
  std::int64_t block_channels_;
  TilePlan plan_;
  std::int64_t point_cells_;
  winograd::JoinedRows joined_;
  detail::Workspace<float> packed_;
  std::vector<std::int32_t> offsets_;
};

/// Of a row of `length` outputs in which `turns` sequences take turns.
std::int64_t quadruples(std::int64_t length, std::int64_t turns) {
  return ceil_div(ceil_div(length, turns), kOutputs) * turns;
}

}  // namespace

Correlation winograd_correlation(const ConvGeometry& g, bool turned) {
  Correlation c = forward_correlation(g);
  if (turned) {
    c.source = as_volume(g.rank, g.out, 1);
    c.out = as_volume(g.rank, g.in, 1);
    for (auto& taps : c.at)
      for (std::int64_t& at : taps) at = -at;
  }
  const std::int64_t first = std::min(c.at[2].front(), c.at[2].back());
  const auto kernel = static_cast<std::int64_t>(c.at[2].size());
  c.turns = g.dilation[g.rank - 1];
  c.at[2].clear();
  for (std::int64_t tap = 0; tap < kernel; tap += kTaps) c.at[2].push_back(first + tap * c.turns);
  c.out[2] = quadruples(c.out[2], c.turns);
  c.step[2] = kOutputs;
  return c;
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
  const std::int64_t channels = std::min(ins, outs), row = quadruples(g.out[last], turns);
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
           static_cast<double>(kPoints * ceil_div(kernel, kTaps) * quadruples(length, turns));
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

void conv_winograd_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                           float* y) {
  const Pass pass = winograd_pass(g, forward_pass(g, x, w, bias, y), false);
  Runner(pass).run();
}

void conv_winograd_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx, float beta) {
  const Pass pass = winograd_pass(g, input_grad_pass(g, gy, w, gx, beta), true);
  Runner(pass).run();
}

}  // namespace evenkeel::kernels
