#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_pass.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/conv_winograd_rows.h>
#include <evenkeel/core/kernels/conv_winograd_squares.h>
#include <evenkeel/core/kernels/conv_winograd_tile.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace evenkeel::kernels {

namespace {

using winograd::kLanes;
using winograd::kOutputs;
using winograd::kPoints;
using winograd::kTaps;

constexpr std::int64_t kSumLength = 128;     ///< products added before a block goes back to memory
constexpr std::int64_t kPositions = 256;     ///< most quadruples or squares of outputs in a tile
constexpr std::int64_t kFarBytes = 2 << 20;  ///< of transformed weights that leave the L2 cache
// Of rows, of squares.
constexpr std::int64_t kFewPositions[] = {128, 64};          ///< of one tile
constexpr std::int64_t kTileBytes[] = {400 << 10, 1 << 20};  ///< cells and sums of a tile
constexpr std::int64_t kSumsBytes[] = {800 << 10, 2 << 20};  ///< sums of row blocks that are gone on with

/// A pass whose shape has outputs in quadruples and taps in pieces of three.
struct Pass : ConvPass<float> {
  bool squares;
  std::int64_t height, kernel;  ///< taps of the last two axes; of height only those of squares
  bool turned;                  ///< they come last tap first
};

Pass winograd_pass(const ConvGeometry& g, WinogradForm form, ConvPass<float> plain, bool turned) {
  const bool squares = form == WinogradForm::squares;
  plain.shape = winograd::correlation(g, form, turned);
  return {std::move(plain), squares, squares ? g.kernel[g.rank - 2] : 1, g.kernel[g.rank - 1], turned};
}

class Runner {
  static constexpr std::int64_t kPitch = micro::RowLanes<float>::kPitch;

 public:
  explicit Runner(const Pass& pass)
      : joined_(pass.size[2]),
        p_(pass),
        points_(pass.squares ? winograd::kSquarePoints : kPoints),
        blocks_(pass.rows),
        taps_(pass.shape.taps()),
        point_weights_(p_.groups * p_.rows * p_.channels * taps_ + kLanes),  // not a power of two apart
        in_passing_(points_ * point_weights_ * static_cast<std::int64_t>(sizeof(float)) > kFarBytes &&
                    pass.images * product(pass.shape.out) <= kFewPositions[p_.squares]),
        block_channels_(even_part(p_.channels, std::max<std::int64_t>(kSumLength / taps_, 1))),
        plan_(pass.shape, pass.images, positions(), tiles(), pass.rows, TilePlan::Strides::apart, kLanes),
        point_cells_(plan_.size(block_channels_)),
        packed_(in_passing_ ? 0 : points_ * point_weights_) {
    for (std::int64_t c = 0; c < block_channels_; ++c)
      for (const std::int32_t tap : plan_.tap_offsets())
        offsets_.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + tap);
  }

  void run() {
    packed_.pack_shared(weights(), [&](auto&&... args) { pack_in_place(args...); });
    const std::int64_t lanes = points_ * plan_.walk(plan_.full());
    share_tiles(
        plan_.tiles(), p_.groups, blocks_.count, lanes * p_.channels * taps_ * p_.rows,
        [&] { return Worker(*this); },
        in_passing_
            ? ceil_div(lanes * p_.rows * static_cast<std::int64_t>(sizeof(float)), kSumsBytes[p_.squares])
            : 1,
        p_.squares && block_channels_ < p_.channels ? 1 : kPiecesAThread);
  }

 private:
  std::int64_t tiles() const {
    if (in_passing_) return 1;
    const std::int64_t positions = p_.images * product(p_.shape.out);
    const std::int64_t least =
        least_tiles(p_.rows * p_.channels * taps_ * points_, positions * p_.channels * points_);
    return p_.squares ? std::clamp<std::int64_t>(positions / (2 * kLanes), 1,
                                                 std::max<std::int64_t>(least, num_threads()))
                      : least;
  }

  std::int64_t positions() const {
    if (in_passing_) return kPositions;
    const auto pieces =
        static_cast<std::int64_t>(p_.shape.at[2].size() * (p_.squares ? p_.shape.at[1].size() : 1));
    const std::int64_t fits = kTileBytes[p_.squares] / (points_ * static_cast<std::int64_t>(sizeof(float))) /
                              (block_channels_ * pieces + p_.rows);
    return std::clamp<std::int64_t>(fits / (2 * kLanes) * (2 * kLanes), 4 * kLanes, kPositions);
  }

  micro::WeightBlocks<float> weights() const {
    return {{p_.w, p_.group_stride, p_.row_stride, p_.channel_stride, weights_a_channel()},
            p_.groups,
            p_.channels,
            block_channels_,
            blocks_,
            1,
            p_.rows};
  }

  /// Transforms weights to where the blocks read them: [point][group][channel block][row block]
  /// [channel, tap][row].
  void pack_in_place(std::int64_t group, std::int64_t block, std::int64_t first, std::int64_t channels,
                     const float* from, micro::RowLanes<float>& lanes, float* to) const {
    pack_block(block, channels, from, lanes, to + packed_at(0, group, first, blocks_.begin(block), channels),
               point_weights_);
  }

  /// Points of the transformed weights are `pitch` apart.
  void pack_block(std::int64_t block, std::int64_t channels, const float* from, micro::RowLanes<float>& lanes,
                  float* to, std::int64_t pitch) const {
    using S = Simd<float>;
    const std::int64_t rows = blocks_.begin(block + 1) - blocks_.begin(block);
    // Copies that no store can change, for all that the compiler knows.
    const bool squares = p_.squares, turned = p_.turned;
    const std::int64_t height = p_.height, kernel = p_.kernel, area = height * kernel;
    const std::int64_t areas = weights_a_channel() / area;
    lanes.each_channel(from, rows, channels, [&](std::int64_t, const float* weights) {
      for (std::int64_t i = 0; i < areas; ++i, weights += area * kPitch)
        for (std::int64_t high = 0; high < height; high += kTaps)
          for (std::int64_t wide = 0; wide < kernel; wide += kTaps, to += rows)
            for (std::int64_t r = 0; r < rows; r += kLanes) {
              const auto weight = [&](std::int64_t h, std::int64_t w) {
                if (h >= height || w >= kernel) return S::Vector{};
                const std::int64_t at = h * kernel + w;
                return S::load(weights + (turned ? area - 1 - at : at) * kPitch + r);
              };
              const auto at_points = [&](std::int64_t h) {
                return winograd::taps_at_points(weight(h, wide), weight(h, wide + 1), weight(h, wide + 2));
              };
              const auto put = [&](std::int64_t point, S::Vector value) {
                S::store_some(to + point * pitch + r, value, rows - r);
              };
              const auto first = at_points(high);
              if (!squares) {
#pragma GCC unroll 6
                for (std::int64_t q = 0; q < kPoints; ++q) put(q, first[q]);
                continue;
              }
              const auto second = at_points(high + 1), third = at_points(high + 2);
#pragma GCC unroll 6
              for (std::int64_t q = 0; q < kPoints; ++q) {
                const auto values = winograd::taps_at_points(first[q], second[q], third[q]);
#pragma GCC unroll 6
                for (std::int64_t p = 0; p < kPoints; ++p) put(p * kPoints + q, values[p]);
              }
            }
    });
  }

  /// Distance of the points of a block's weights where they are transformed in passing.
  std::int64_t own_pitch() const {
    return (blocks_.rows / blocks_.count + 1) * block_channels_ * taps_ + kLanes;
  }
  std::int64_t weights_a_channel() const {
    const auto lines =
        static_cast<std::int64_t>(p_.shape.at[0].size() * (p_.squares ? 1 : p_.shape.at[1].size()));
    return lines * p_.height * p_.kernel;
  }

  std::int64_t packed_at(std::int64_t point, std::int64_t group, std::int64_t channel, std::int64_t row,
                         std::int64_t channels) const {
    return point * point_weights_ + ((group * p_.channels + channel) * p_.rows + row * channels) * taps_;
  }

  /// One thread's scratch memory.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          sums_ld_((ceil_div(r_.plan_.walk(r_.plan_.full()), kLanes) | 1) * kLanes),
          cells_(static_cast<std::size_t>(r_.points_ * r_.point_cells_)),
          sums_(static_cast<std::size_t>(r_.points_ * p_.rows * sums_ld_ + kLanes)),
          packed_(runner.packed_),
          weights_(static_cast<std::size_t>(r_.in_passing_ ? r_.points_ * r_.own_pitch() : 0)),
          row_lanes_(p_.row_stride, p_.channel_stride, r_.weights_a_channel()) {
      if (!p_.squares) return;
      square_rows_.emplace(p_.shape.source[2], r_.plan_.rows_stored());
      squares_.emplace(r_.joined_, p_.size[2], r_.plan_.rows_stored(), r_.plan_.walk(r_.plan_.full()));
    }

    /// Row blocks [first, last) of one tile of one group.
    void work(std::int64_t tile, std::int64_t group, std::int64_t first, std::int64_t last) {
      const Tile t = r_.plan_.tile(tile);
      if (!r_.in_passing_)
        packed_.need(r_.weights(), group, first, last, [&](auto&&... args) { r_.pack_in_place(args...); });
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        fill(tile, t, group, c, channels);
        if (r_.in_passing_)
          multiply_in_passing(t, group, c, channels, first, last);
        else
          for (std::int64_t point = 0; point < r_.points_; ++point)
            multiply(t, point, c, channels, first, last, [&](std::int64_t row) {
              return packed_.data() + r_.packed_at(point, group, c, row, channels);
            });
      }
      const std::int64_t begin = r_.blocks_.begin(first), end = r_.blocks_.begin(last);
      if (p_.squares) return deliver_squares(t, group, begin, end);
      winograd::for_turns(p_.shape.turns, [&]<int kWidth>() { deliver<kWidth>(t, group, begin, end); });
    }

   private:
    /// The tile's cells, unless they are there from the last cut.
    void fill(std::int64_t tile, const Tile& t, std::int64_t group, std::int64_t c, std::int64_t channels) {
      if (!held_.change(tile, group, c)) return;
      const std::int64_t plane = product(p_.shape.source);
      winograd::fill_tile(r_.plan_, p_.shape, r_.joined_, t, p_.source + (group * p_.channels + c) * plane,
                          p_.groups * p_.channels * plane, channels, r_.point_cells_,
                          square_rows_ ? &*square_rows_ : nullptr, cells_.data());
    }

    /// Transforms the weights of a block of rows just before they are read.
    void multiply_in_passing(const Tile& t, std::int64_t group, std::int64_t c, std::int64_t channels,
                             std::int64_t first, std::int64_t last) {
      const float* w = p_.w + group * p_.group_stride + c * p_.channel_stride;
      for (std::int64_t block = first; block < last; ++block) {
        r_.pack_block(block, channels, w + r_.blocks_.begin(block) * p_.row_stride, row_lanes_,
                      weights_.data(), r_.own_pitch());
        for (std::int64_t point = 0; point < r_.points_; ++point)
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

    void deliver_squares(const Tile& t, std::int64_t group, std::int64_t row_begin, std::int64_t row_end) {
      const std::int64_t lines = t.count[1], first = kOutputs * t.begin[1];
      const std::int64_t pitch = r_.plan_.row_offset(0, 0, 1) - r_.plan_.row_offset(0, 0, 0);
      const auto offset = [&](std::int64_t area) {
        return r_.plan_.row_offset(area / t.count[0], area % t.count[0], 0);
      };
      const std::int64_t areas = t.images * t.count[0];
      for (std::int64_t row = row_begin; row < row_end; ++row) {
        const std::int64_t channel = group * p_.rows + row;
        // Areas that lie one behind the other are taken together.
        for (std::int64_t area = 0, end; area < areas; area = end) {
          for (end = area + 1; end < areas && offset(end) == offset(end - 1) + lines * pitch;) ++end;
          squares_->take(sums_.data() + row * sums_ld_ + offset(area), p_.rows * sums_ld_,
                         (end - area) * lines, pitch, t.begin[2], t.count[2],
                         p_.bias != nullptr ? p_.bias[channel] : 0.0f);
          for (std::int64_t a = area; a < end; ++a) {
            const std::int64_t image = t.image + a / t.count[0], d = t.begin[0] + a % t.count[0];
            float* to = p_.target +
                        ((image * p_.groups * p_.rows + channel) * p_.size[0] + d) * p_.size[1] * p_.size[2] +
                        first * p_.size[2];
            const std::int64_t height = p_.size[1] - first;
            fetch_to_write(to + product(p_.size), std::min(kOutputs * lines, height) * p_.size[2]);
            squares_->deliver((a - area) * lines, lines, p_.beta != 0, to, height);
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
            const float* sums = sums_.data() + row * sums_ld_ + r_.plan_.row_offset(image, d, 0);
            if (joins) {
              float* to = plane + ((t.begin[0] + d) * p_.size[1] + t.begin[1]) * p_.size[2];
              fetch_to_write(to + product(p_.size), t.count[1] * p_.size[2]);
              winograd::deliver_rows(r_.joined_, sums, p_.rows * sums_ld_, t.count[1], bias, p_.beta != 0,
                                     to);
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
    detail::Workspace<float> cells_, sums_;
    micro::PackedWeights<float>::OfWorker packed_;
    detail::Workspace<float> weights_;
    micro::RowLanes<float> row_lanes_;
    HeldCells held_;
    std::optional<winograd::SquareRows> square_rows_;
    std::optional<winograd::OutputSquares> squares_;
  };

  winograd::JoinedRows joined_;
  const Pass& p_;
  std::int64_t points_;
  micro::RowBlocks blocks_;
  std::int64_t taps_, point_weights_;
  bool in_passing_;  ///< one tile's weights, more than a cache holds, are transformed by whoever reads them
  std::int64_t block_channels_;
  TilePlan plan_;
  std::int64_t point_cells_;
  micro::PackedWeights<float> packed_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

void conv_winograd_forward(const ConvGeometry& g, WinogradForm form, const float* x, const float* w,
                           const float* bias, float* y) {
  const Pass pass = winograd_pass(g, form, forward_pass(g, x, w, bias, y), false);
  Runner(pass).run();
}

void conv_winograd_input_grad(const ConvGeometry& g, WinogradForm form, const float* gy, const float* w,
                              float* gx, float beta) {
  const Pass pass = winograd_pass(g, form, input_grad_pass(g, gy, w, gx, beta), true);
  Runner(pass).run();
}

}  // namespace evenkeel::kernels
