#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_pass.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/storage.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

/// Products added before a block goes back to memory: its cells stay in the L1 cache.
constexpr std::int64_t kSumLength = 128;
constexpr std::int64_t kTileBytes = 400 << 10;  ///< cells and results of a tile
constexpr std::int64_t kPositions = 512;

template <class T>
class Runner {
 public:
  explicit Runner(const ConvPass<T>& pass)
      : p_(pass),
        blocks_(pass.rows),
        block_channels_(even_part(pass.channels, pass.channels_of_sum(kSumLength))),
        phases_(static_cast<std::int64_t>(pass.phases.size())),
        scratch_(pass.phases.size() > 1),
        plan_(pass.shape, pass.images, positions(),
              least_tiles(pass.rows * pass.channels * pass.shape.taps(),
                          pass.images * pass.channels * product(pass.shape.source)),
              pass.rows, TilePlan::Strides::apart, kLanes),
        packed_(pass.groups * pass.rows * pass.channels * pass.shape.taps()) {
    scratch_ = scratch_ || plan_.flat();
    std::int64_t taps = 0;
    for (const Phase& phase : pass.phases) {
      first_tap_.push_back(taps);
      taps += static_cast<std::int64_t>(phase.tap.size());
      for (std::int64_t c = 0; c < block_channels_; ++c)
        for (const std::int64_t tap : phase.tap)
          offsets_.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + plan_.tap_offsets()[tap]);
    }
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
  static constexpr std::int64_t kLanes = Simd<T>::kLanes;

  std::int64_t positions() const {
    const std::int64_t fits =
        kTileBytes / static_cast<std::int64_t>(sizeof(T)) / (block_channels_ + p_.rows * phases_);
    return std::clamp<std::int64_t>(fits / (4 * kLanes) * (4 * kLanes), 4 * kLanes, kPositions);
  }

  /// Weights in the order the blocks read them: [phase][group][channel block][row block][channel, tap][row].
  micro::WeightBlocks<T> weights() const {
    return {p_.weights(), p_.groups, p_.channels, block_channels_, blocks_, 1, p_.rows};
  }

  void pack_block(std::int64_t group, std::int64_t block, std::int64_t first, std::int64_t channels,
                  const T* from, micro::RowLanes<T>& lanes, T* packed) const {
    const std::int64_t row = blocks_.begin(block);
    const std::int64_t height = blocks_.begin(block + 1) - row;
    lanes.each_channel(from, height, channels, [&](std::int64_t channel, const T* weights) {
      for (std::int64_t phase = 0; phase < phases_; ++phase) {
        const std::vector<std::int64_t>& taps = p_.phases[phase].tap;
        T* to = packed + packed_at(phase, group, first, row, channels) +
                channel * static_cast<std::int64_t>(taps.size()) * height;
        for (const std::int64_t tap : taps) {
          const T* column = weights + tap * micro::RowLanes<T>::kPitch;
          for (std::int64_t r = 0; r < height; r += kLanes)
            Simd<T>::store_some(to + r, Simd<T>::load(column + r), height - r);
          to += height;
        }
      }
    });
  }

  std::int64_t packed_at(std::int64_t phase, std::int64_t group, std::int64_t channel, std::int64_t row,
                         std::int64_t channels) const {
    const auto taps = static_cast<std::int64_t>(p_.phases[phase].tap.size());
    return first_tap_[phase] * p_.groups * p_.rows * p_.channels +
           ((group * p_.channels + channel) * p_.rows + row * channels) * taps;
  }

  /// Lanes of all results of the largest tile.
  std::int64_t result_lanes() const {
    const Tile t = plan_.full();
    if (plan_.flat()) return ceil_div(plan_.walk(t), kLanes) * kLanes;
    return t.images * t.count[0] * t.count[1] * ceil_div(t.count[2], kLanes) * kLanes;
  }

  /// One thread's scratch memory.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          weights_(runner.packed_),
          result_ld_(runner.result_lanes()),
          cells_(static_cast<std::size_t>(runner.plan_.size(runner.block_channels_))),
          results_(runner.scratch_ ? static_cast<std::size_t>(r_.phases_ * p_.rows * result_ld_ + kLanes)
                                   : 0),
          panel_(micro::worth_a_panel(r_.blocks_.count, longest_sum()) ? longest_sum() : 0) {}

    /// Row blocks [first, last) of one tile of one group.
    void work(std::int64_t tile, std::int64_t group, std::int64_t first, std::int64_t last) {
      weights_.need(r_.weights(), group, first, last, [&](auto&&... args) { r_.pack_block(args...); });
      const TilePlan& plan = r_.plan_;
      const Tile t = plan.tile(tile);
      if (tile != listed_tile_) list_lanes(t);
      listed_tile_ = tile;
      T* planes = p_.target + (t.image * p_.groups + group) * p_.rows * product(p_.size);
      const std::int64_t source_plane = product(p_.shape.source);
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        if (held_.change(tile, group, c))
          plan.fill(t, p_.source + (group * p_.channels + c) * source_plane,
                    p_.groups * p_.channels * source_plane, channels, cells_.data());
        for (std::int64_t phase = 0; phase < r_.phases_; ++phase) {
          if (r_.scratch_)
            multiply(phase, group, c, channels, first, last, results_.data() + phase * p_.rows * result_ld_,
                     result_ld_, c > 0);
          else
            multiply(phase, group, c, channels, first, last, planes, product(p_.size),
                     c > 0 || p_.beta != T(0));
        }
      }
      if (!r_.scratch_) return;
      const std::int64_t row_lanes = ceil_div(t.count[2], kLanes) * kLanes;
      const auto row_at = [&](std::int64_t image, std::int64_t d, std::int64_t h) {
        return plan.flat() ? plan.row_offset(image, d, h)
                           : ((image * t.count[0] + d) * t.count[1] + h) * row_lanes;
      };
      const std::int64_t row = r_.blocks_.begin(first);
      deliver(p_, t, results_.data() + row * result_ld_, p_.rows * result_ld_, result_ld_, row_at, row,
              r_.blocks_.begin(last), planes);
    }

   private:
    std::int64_t longest_sum() const { return r_.block_channels_ * p_.most_taps(); }

    void multiply(std::int64_t phase, std::int64_t group, std::int64_t c, std::int64_t channels,
                  std::int64_t first, std::int64_t last, T* to, std::int64_t ld, bool add) {
      const auto taps = static_cast<std::int64_t>(p_.phases[phase].tap.size());
      const std::int32_t* offsets = r_.offsets_.data() + r_.first_tap_[phase] * r_.block_channels_;
      const T* bias = c == 0 && p_.bias != nullptr ? p_.bias + group * p_.rows : nullptr;
      const auto vectors = static_cast<std::int64_t>(lanes_.size());
      const bool gathered = micro::worth_a_panel(last - first, channels * taps);
      const std::int64_t together =
          gathered ? micro::kPanelVectors
                   : micro::vectors_together(
                         channels * r_.plan_.channel_size() * static_cast<std::int64_t>(sizeof(T)), vectors,
                         micro::vectors_for(static_cast<int>(ceil_div(p_.rows, r_.blocks_.count))));
      for (std::int64_t v = 0; v < vectors; v += together) {
        const std::int64_t count = std::min(together, vectors - v);
        if (gathered)
          panel_.gather(channels * taps, offsets, cells_.data(), &lanes_[v], static_cast<int>(count));
        for (std::int64_t block = first; block < last; ++block) {
          const std::int64_t row = r_.blocks_.begin(block);
          const auto height = static_cast<int>(r_.blocks_.begin(block + 1) - row);
          const auto at_once = std::min<std::int64_t>(micro::vectors_for(height), together);
          for (std::int64_t j = 0; j < count; j += at_once)
            micro::output_block<T>(height, static_cast<int>(std::min(at_once, count - j)))(
                channels * taps, weights_.data() + r_.packed_at(phase, group, c, row, channels),
                gathered ? panel_.offset() : offsets, gathered ? panel_.cells() : cells_.data(),
                gathered ? panel_.lanes() : &lanes_[v + j], to + row * ld, ld,
                bias != nullptr ? bias + row : nullptr, add);
        }
      }
    }

    void list_lanes(const Tile& t) {
      const TilePlan& plan = r_.plan_;
      lanes_.clear();
      const auto run = [&](std::int64_t source, std::int64_t count, std::int64_t target) {
        for (std::int64_t w = 0; w < count; w += kLanes) {
          const std::int64_t real = r_.scratch_ ? kLanes : std::min<std::int64_t>(kLanes, count - w);
          const std::int64_t to =
              r_.scratch_ ? static_cast<std::int64_t>(lanes_.size()) * kLanes : target + w;
          lanes_.push_back({static_cast<std::int32_t>(source + w), static_cast<std::int32_t>(real), to});
        }
      };
      if (plan.flat()) return run(0, plan.walk(t), 0);
      for (std::int64_t image = 0; image < t.images; ++image)
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < t.count[1]; ++h)
            run(plan.row_offset(image, d, h), t.count[2],
                image * p_.groups * p_.rows * product(p_.size) +
                    ((t.begin[0] + d) * p_.size[1] + t.begin[1] + h) * p_.size[2] + t.begin[2]);
    }

    Runner& r_;
    const ConvPass<T>& p_;
    typename micro::PackedWeights<T>::OfWorker weights_;
    std::int64_t result_ld_;
    detail::Workspace<T> cells_;
    detail::Workspace<T> results_;
    micro::Panel<T> panel_;
    std::vector<micro::Lanes> lanes_;
    std::int64_t listed_tile_ = -1;
    HeldCells held_;
  };

  const ConvPass<T>& p_;
  micro::RowBlocks blocks_;
  std::int64_t block_channels_, phases_;
  bool scratch_;
  TilePlan plan_;
  micro::PackedWeights<T> packed_;
  std::vector<std::int64_t> first_tap_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

template <class T>
void conv_direct(const ConvPass<T>& pass) {
  Runner<T>(pass).run();
}

template void conv_direct(const ConvPass<float>&);
template void conv_direct(const ConvPass<double>&);

}  // namespace evenkeel::kernels
