#include <evenkeel/core/kernels/conv_channels.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kSumLength = 96;         ///< products added before a block goes back to memory
constexpr std::int64_t kTileBytes = 400 << 10;  ///< cells and sums of a tile
constexpr std::int64_t kPositions = 512;

/// Neighbouring outputs of a block, at most: so many that no single vector of channels is left over, which
/// would be the worst of blocks.
std::int64_t most_positions(std::int64_t vectors) {
  return vectors % 2 == 1 && vectors > 1 ? micro::kMaxSums / 3 : micro::kMaxPositions;
}

/// Vectors of a block where rows of `width` outputs are cut into blocks as equal as can be.
std::int64_t vectors_beside(std::int64_t width, std::int64_t most) {
  const std::int64_t positions = even_part(width, most);
  return std::min<std::int64_t>(micro::kMaxSums / positions, micro::kMaxChannelVectors);
}

class Runner {
 public:
  explicit Runner(const ConvPass<float>& pass)
      : p_(pass),
        phases_(static_cast<std::int64_t>(pass.phases.size())),
        vectors_(ceil_div(pass.rows, kLanes)),
        block_channels_(even_part(pass.channels, pass.channels_of_sum(kSumLength))),
        plan_(pass.shape, pass.images, positions(),
              least_tiles(pass.rows * pass.channels * pass.shape.taps(),
                          pass.images * pass.channels * product(pass.shape.source)),
              0, pass.shape.step[2] <= micro::kMaxStep ? TilePlan::Strides::kept : TilePlan::Strides::apart,
              kLanes),
        blocks_(vectors_, vectors_beside(plan_.full().count[2], most_positions(vectors_))),
        packed_(pass.groups * vectors_ * kLanes * pass.channels * pass.shape.taps()),
        start_(static_cast<std::size_t>(pass.groups * vectors_ * kLanes), float(0)) {
    std::int64_t taps = 0;
    for (const Phase& phase : pass.phases) {
      first_tap_.push_back(taps);
      taps += static_cast<std::int64_t>(phase.tap.size());
      tap_rows_.push_back(TapRows(phase, static_cast<std::int64_t>(pass.shape.at[2].size())));
    }
    for (const std::int64_t channels : {block_channels_, pass.channels % block_channels_})
      list_offsets(channels, offsets_[channels < block_channels_]);
    for (std::int64_t group = 0; pass.bias != nullptr && group < pass.groups; ++group)
      std::copy_n(pass.bias + group * pass.rows, pass.rows, start_.data() + group * vectors_ * kLanes);
  }

  void run() {
    packed_.pack_shared(weights(), [&](auto&&... args) { pack_block(args...); });
    const Tile full = plan_.full();
    share_tiles(plan_.tiles(), p_.groups, blocks_.count,
                product(full.count) * full.images * p_.channels * p_.shape.taps() * p_.rows / phases_ +
                    plan_.fill_cost(p_.channels),
                [&] { return Worker(*this); });
  }

 private:
  static constexpr std::int64_t kLanes = Simd<float>::kLanes;

  std::int64_t positions() const {
    const std::int64_t fits = kTileBytes / static_cast<std::int64_t>(sizeof(float)) /
                              (block_channels_ + vectors_ * kLanes * phases_);
    return std::clamp<std::int64_t>(fits / (4 * kLanes) * (4 * kLanes), 4 * kLanes, kPositions);
  }

  /// A phase's taps in rows along the last axis: those of a row are valid or not for all outputs of a row.
  struct TapRows {
    TapRows(const Phase& phase, std::int64_t kernel_width) {
      for (const std::int64_t tap : phase.tap)
        if (row.empty() || row.back() != tap / kernel_width) row.push_back(tap / kernel_width);
      width = static_cast<std::int64_t>(phase.tap.size() / std::max<std::size_t>(row.size(), 1));
    }
    std::vector<std::int64_t> row;  ///< of the kernel
    std::int64_t width = 0;
  };

  /// Of the steps of a sum over `channels` channels: [phase][tap row][channel][tap].
  void list_offsets(std::int64_t channels, std::vector<std::int32_t>& offsets) const {
    for (std::size_t phase = 0; phase < tap_rows_.size(); ++phase)
      for (std::size_t row = 0; row < tap_rows_[phase].row.size(); ++row)
        for (std::int64_t c = 0; c < channels; ++c)
          for (std::int64_t i = 0; i < tap_rows_[phase].width; ++i) {
            const std::int64_t tap =
                p_.phases[phase].tap[row * static_cast<std::size_t>(tap_rows_[phase].width) + i];
            offsets.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + plan_.tap_offsets()[tap]);
          }
  }

  /// Weights in the order the blocks read them: [phase][group][channel block][block][tap row][channel]
  /// [tap][vectors].
  micro::WeightBlocks<float> weights() const {
    return {p_.weights(), p_.groups, p_.channels, block_channels_, blocks_, kLanes, p_.rows};
  }

  void pack_block(std::int64_t group, std::int64_t block, std::int64_t first, std::int64_t channels,
                  const float* from, micro::RowLanes<float>& lanes, float* packed) const {
    const std::int64_t begin = blocks_.begin(block), end = blocks_.begin(block + 1);
    const std::int64_t height = (end - begin) * kLanes;
    for (std::int64_t v = begin; v < end; ++v, from += kLanes * p_.row_stride) {
      lanes.each_channel(from, std::min(kLanes, p_.rows - v * kLanes), channels,
                         [&](std::int64_t channel, const float* weights) {
                           for (std::int64_t phase = 0; phase < phases_; ++phase) {
                             const std::int64_t width = tap_rows_[phase].width;
                             float* to = packed + packed_at(phase, group, first, begin, channels) +
                                         (v - begin) * kLanes + channel * width * height;
                             std::int64_t in_row = 0;
                             for (const std::int64_t tap : p_.phases[phase].tap) {
                               Simd<float>::store(
                                   to, Simd<float>::load(weights + tap * micro::RowLanes<float>::kPitch));
                               to += height;
                               if (++in_row < width) continue;
                               to += (channels - 1) * width * height;
                               in_row = 0;
                             }
                           }
                         });
    }
  }

  std::int64_t packed_at(std::int64_t phase, std::int64_t group, std::int64_t channel, std::int64_t vector,
                         std::int64_t channels) const {
    const auto taps = static_cast<std::int64_t>(p_.phases[phase].tap.size());
    return (first_tap_[phase] * p_.groups * vectors_ * p_.channels +
            ((group * p_.channels + channel) * vectors_ + vector * channels) * taps) *
           kLanes;
  }

  /// One thread's scratch memory.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          weights_(runner.packed_),
          ld_((r_.vectors_ | 1) * kLanes),
          outputs_(ceil_div(r_.plan_.full().images * product(r_.plan_.full().count), kLanes) * kLanes),
          cells_(static_cast<std::size_t>(r_.plan_.size(r_.block_channels_))),
          sums_(static_cast<std::size_t>(r_.phases_ * outputs_ * ld_)),
          results_(static_cast<std::size_t>(r_.phases_ * micro::kMaxChannelVectors * kLanes * outputs_ +
                                            kLanes)) {}

    /// Blocks [first, last) of one tile of one group.
    void work(std::int64_t tile, std::int64_t group, std::int64_t first, std::int64_t last) {
      weights_.need(r_.weights(), group, first, last, [&](auto&&... args) { r_.pack_block(args...); });
      const Tile t = r_.plan_.tile(tile);
      if (tile != listed_tile_) {
        list_pieces(t);
        list_spans(t);
      }
      listed_tile_ = tile;
      const std::int64_t source_plane = product(p_.shape.source);
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        if (held_.change(tile, group, c))
          r_.plan_.fill(t, p_.source + (group * p_.channels + c) * source_plane,
                        p_.groups * p_.channels * source_plane, channels, cells_.data());
        for (std::int64_t phase = 0; phase < r_.phases_; ++phase)
          multiply(phase, group, c, channels, first, last);
      }
      for (std::int64_t block = first; block < last; ++block) finish(t, group, block);
    }

   private:
    /// sums_ of a tile: [phase][output][row].
    void multiply(std::int64_t phase, std::int64_t group, std::int64_t c, std::int64_t channels,
                  std::int64_t first, std::int64_t last) {
      const std::int64_t row_steps = channels * r_.tap_rows_[phase].width;
      const std::int32_t* offsets =
          r_.offsets_[channels < r_.block_channels_].data() + r_.first_tap_[phase] * channels;
      for (std::int64_t block = first; block < last; ++block) {
        const std::int64_t vector = r_.blocks_.begin(block);
        const auto wide = static_cast<int>(r_.blocks_.begin(block + 1) - vector);
        const float* weights = weights_.data() + r_.packed_at(phase, group, c, vector, channels);
        const float* start = c == 0 ? r_.start_.data() + (group * r_.vectors_ + vector) * kLanes : nullptr;
        float* sum = sums_.data() + phase * outputs_ * ld_ + vector * kLanes;
        for (const Piece& piece : pieces_) {
          const micro::ChannelBlock run =
              micro::channel_block(piece.outputs.count, wide, static_cast<int>(r_.plan_.step()));
          const auto [begin, end] = spans_of_row_[phase * rows_ + piece.row];
          for (std::int64_t i = begin; i < end; ++i) {
            const Span& span = spans_[i];
            run(span.count * row_steps, weights + span.first * row_steps * wide * kLanes,
                offsets + span.first * row_steps, cells_.data() + piece.outputs.source,
                i == begin ? start : nullptr, 0, sum, ld_);
          }
          sum += piece.outputs.count * ld_;
        }
      }
    }

    /// A block's sums, as [phase][row][output], to their places.
    void finish(const Tile& t, std::int64_t group, std::int64_t block) {
      const std::int64_t row = r_.blocks_.begin(block) * kLanes;
      const std::int64_t end = std::min(r_.blocks_.begin(block + 1) * kLanes, p_.rows);
      const std::int64_t outputs = t.images * product(t.count), pitch = (end - row) * outputs_;
      for (std::int64_t phase = 0; phase < r_.phases_; ++phase)
        for (std::int64_t i = 0; i < outputs; i += kLanes)
          transpose_to_lanes(sums_.data() + (phase * outputs_ + i) * ld_ + row, ld_, end - row,
                             static_cast<int>(std::min(kLanes, outputs - i)),
                             results_.data() + phase * pitch + i, outputs_);
      const auto row_at = [&](std::int64_t image, std::int64_t d, std::int64_t h) {
        return ((image * t.count[0] + d) * t.count[1] + h) * t.count[2];
      };
      deliver(p_, t, results_.data(), pitch, outputs_, row_at, row, end,
              p_.target + (t.image * p_.groups + group) * p_.rows * product(p_.size));
    }

    /// Outputs that a block takes, of one of the tile's rows.
    struct Piece {
      micro::Run outputs;
      std::int64_t row;
    };
    /// Rows of taps that follow one another.
    struct Span {
      std::int64_t first, count;
    };

    /// Of each row of outputs the taps that read its source: the others would multiply zeros. A row without
    /// any has an empty span, for its sums to start from.
    void list_spans(const Tile& t) {
      spans_.clear();
      spans_of_row_.clear();
      const auto kernel_height = static_cast<std::int64_t>(p_.shape.at[1].size());
      for (const TapRows& taps : r_.tap_rows_)
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < t.count[1]; ++h) {
            const auto begin = static_cast<std::int64_t>(spans_.size());
            bool goes_on = false;
            for (std::size_t i = 0; i < taps.row.size(); ++i) {
              const bool read = p_.shape.reads(0, t.begin[0] + d, taps.row[i] / kernel_height) &&
                                p_.shape.reads(1, t.begin[1] + h, taps.row[i] % kernel_height);
              if (read && !goes_on) spans_.push_back({static_cast<std::int64_t>(i), 0});
              if (read) ++spans_.back().count;
              goes_on = read;
            }
            if (static_cast<std::int64_t>(spans_.size()) == begin) spans_.push_back({0, 0});
            spans_of_row_.push_back({begin, static_cast<std::int64_t>(spans_.size())});
          }
      rows_ = t.count[0] * t.count[1];
    }

    /// The tile's outputs, row by row, in pieces that a block takes.
    void list_pieces(const Tile& t) {
      pieces_.clear();
      const std::int64_t pieces = ceil_div(t.count[2], most_positions(r_.vectors_));
      for (std::int64_t image = 0; image < t.images; ++image)
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < t.count[1]; ++h)
            for (std::int64_t i = 0; i < pieces; ++i) {
              const std::int64_t at = t.count[2] * i / pieces;
              pieces_.push_back(
                  {{static_cast<std::int32_t>(r_.plan_.row_offset(image, d, h) + at * r_.plan_.step()),
                    static_cast<std::int32_t>(t.count[2] * (i + 1) / pieces - at)},
                   d * t.count[1] + h});
            }
    }

    Runner& r_;
    const ConvPass<float>& p_;
    micro::PackedWeights<float>::OfWorker weights_;
    std::int64_t ld_, outputs_;
    detail::Workspace<float> cells_, sums_, results_;
    std::vector<Piece> pieces_;
    std::vector<Span> spans_;
    std::vector<std::pair<std::int64_t, std::int64_t>> spans_of_row_;  ///< [phase][row of outputs]
    std::int64_t rows_ = 0, listed_tile_ = -1;
    HeldCells held_;
  };

  const ConvPass<float>& p_;
  std::int64_t phases_, vectors_, block_channels_;
  TilePlan plan_;
  micro::RowBlocks blocks_;
  micro::PackedWeights<float> packed_;
  ScratchVector<float> start_;
  std::vector<std::int64_t> first_tap_;
  std::vector<TapRows> tap_rows_;         ///< of each phase
  std::vector<std::int32_t> offsets_[2];  ///< for a whole block of channels, and for what is left of them
};

}  // namespace

bool conv_channels_pay(const ConvPass<float>& pass) {
  constexpr double kLeastFill = 0.75, kBetterFill = 1.2, kLeastOfStrided = 0.6, kWorseFill = 0.8,
                   kMuchBetterFill = 2.6;
  // Products of a sum that pay for the transposition: of narrow rows, of others, and where vectors of
  // positions would be filled as well.
  constexpr std::int64_t kLeastSum = 9, kLeastOfWide = 64, kLongSum = 160, kLeastSumOfStrided = 32;
  constexpr std::int64_t kFewUses = 60;  // of a cell
  constexpr std::int64_t kSomeTaps = 3;
  constexpr std::int64_t kWide = 32, kTwoVectors = std::int64_t{2} * Simd<float>::kLanes;
  const std::int64_t width = pass.shape.out[2];
  const std::int64_t sum = pass.channels * pass.shape.taps() / static_cast<std::int64_t>(pass.phases.size());
  const double filled = lanes_filled(pass.rows), beside = lanes_filled(width);
  if (pass.most_taps() == 1) return false;
  // Strides are kept here and taken apart elsewhere, which cells that are read seldom do not pay for.
  const std::int64_t step = pass.shape.step[2];
  if (step > 1 && step <= micro::kMaxStep && filled >= kLeastOfStrided && filled >= kWorseFill * beside &&
      sum >= kLeastSumOfStrided && pass.rows * pass.shape.taps() <= kFewUses * product(pass.shape.step))
    return true;
  if (filled >= kMuchBetterFill * beside && pass.shape.taps() >= kSomeTaps) return true;
  if (filled < kLeastFill) return false;
  if (pass.rows >= kTwoVectors && filled >= beside && sum >= kLongSum) return true;
  return filled >= kBetterFill * beside && sum >= (width < kWide ? kLeastSum : kLeastOfWide) &&
         (pass.rows >= kTwoVectors || width <= Simd<float>::kLanes);
}

void conv_by_channels(const ConvPass<float>& pass) { Runner(pass).run(); }

}  // namespace evenkeel::kernels
