#include <evenkeel/core/kernels/conv_images.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_pack.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kLanes = Simd<float>::kLanes;
constexpr std::int64_t kMostImages = std::min<std::int64_t>(micro::kMaxPositions, kLanes);  ///< of a block

/// Cells that the outputs of an image read, times taps.
std::int64_t cells_read(const ConvPass<float>& pass) {
  return pass.shape.pairs_read(0) * pass.shape.pairs_read(1) * pass.shape.pairs_read(2);
}

/// As many as fill a block. A pass that is cut by images alone gets as many tiles as keep all threads busy,
/// which changes no sum.
std::int64_t images_of_a_tile(const ConvPass<float>& pass) {
  const std::int64_t tiles = ceil_div(pass.images, kMostImages);
  const bool uncut = pass.groups == 1 && pass.rows <= micro::kMaxMatrixVectors * kLanes;
  return ceil_div(pass.images, uncut ? ceil_div(tiles, num_threads()) * num_threads() : tiles);
}

/// Which cells each output reads, by which taps.
class CellRuns {
 public:
  /// Cells of one output that follow one another, read by taps that do so too.
  struct Run {
    std::int32_t tap, count, cell;
  };

  explicit CellRuns(const ConvPass<float>& pass) : p_(pass) {
    list_taps();
    const Sizes3& step = p_.shape.step;
    const Sizes3 phases{std::min(p_.step[0], p_.size[0]), std::min(p_.step[1], p_.size[1]),
                        std::min(p_.step[2], p_.size[2])};
    for (std::int64_t d = 0; d < p_.size[0]; ++d)
      for (std::int64_t h = 0; h < p_.size[1]; ++h)
        for (std::int64_t w = 0; w < p_.size[2]; ++w) {
          const std::int64_t phase =
              (d % p_.step[0] * phases[1] + h % p_.step[1]) * phases[2] + w % p_.step[2];
          list_runs({d / p_.step[0] * step[0], h / p_.step[1] * step[1], w / p_.step[2] * step[2]},
                    static_cast<std::size_t>(phase));
          ends_.push_back(static_cast<std::int64_t>(runs_.size()));
        }
  }

  /// Taps that are read by any output, those of a phase in the order of their cells: what Run::tap counts.
  const std::vector<std::int64_t>& taps() const { return taps_; }
  /// Of all outputs, in their order.
  const Run* runs() const { return runs_.data(); }
  /// Where each output's runs end.
  const ScratchVector<std::int64_t>& ends() const { return ends_; }

 private:
  Sizes3 split(std::int64_t tap) const {
    const auto high = static_cast<std::int64_t>(p_.shape.at[1].size());
    const auto wide = static_cast<std::int64_t>(p_.shape.at[2].size());
    return {tap / (high * wide), tap / wide % high, tap % wide};
  }

  Sizes3 offset(std::int64_t tap) const {
    const Sizes3 at = split(tap);
    return {p_.shape.at[0][at[0]], p_.shape.at[1][at[1]], p_.shape.at[2][at[2]]};
  }

  bool is_read(std::int64_t tap) const {
    const Sizes3 at = split(tap);
    for (int axis = 0; axis < 3; ++axis) {
      std::int64_t q = 0;
      while (q < p_.shape.out[axis] && !p_.shape.reads(axis, q, at[axis])) ++q;
      if (q == p_.shape.out[axis]) return false;
    }
    return true;
  }

  void list_taps() {
    for (const Phase& phase : p_.phases) {
      first_tap_.push_back(taps_.size());
      std::copy_if(phase.tap.begin(), phase.tap.end(), std::back_inserter(taps_),
                   [&](std::int64_t tap) { return is_read(tap); });
      std::sort(taps_.begin() + static_cast<std::ptrdiff_t>(first_tap_.back()), taps_.end(),
                [&](std::int64_t a, std::int64_t b) { return offset(a) < offset(b); });
    }
    first_tap_.push_back(taps_.size());
    for (const std::int64_t tap : taps_) offsets_.push_back(offset(tap));
  }

  /// Of the output whose cells without a tap's offset start at `place`.
  void list_runs(const Sizes3& place, std::size_t phase) {
    const auto before = std::ssize(runs_);
    const Sizes3& size = p_.shape.source;
    for (std::size_t i = first_tap_[phase]; i < first_tap_[phase + 1]; ++i) {
      const Sizes3& at = offsets_[i];
      const std::int64_t d = place[0] + at[0], h = place[1] + at[1], w = place[2] + at[2];
      if (w < 0 || w >= size[2] || h < 0 || h >= size[1] || d < 0 || d >= size[0]) continue;
      const auto cell = static_cast<std::int32_t>((d * size[1] + h) * size[2] + w);
      const auto tap = static_cast<std::int32_t>(i);
      if (std::ssize(runs_) > before && runs_.back().tap + runs_.back().count == tap &&
          runs_.back().cell + runs_.back().count == cell)
        ++runs_.back().count;
      else
        runs_.push_back({tap, 1, cell});
    }
  }

  const ConvPass<float>& p_;
  std::vector<std::int64_t> taps_;
  std::vector<Sizes3> offsets_;         ///< of the cells that they read
  std::vector<std::size_t> first_tap_;  ///< of each phase, and of one more
  ScratchVector<Run> runs_;
  ScratchVector<std::int64_t> ends_;
};

class Runner {
 public:
  explicit Runner(const ConvPass<float>& pass)
      : p_(pass),
        reads_(pass),
        source_(product(pass.shape.source)),
        outputs_(product(pass.size)),
        taps_(static_cast<std::int64_t>(reads_.taps().size())),
        vectors_(ceil_div(pass.rows, kLanes)),
        images_(images_of_a_tile(pass)),
        block_channels_(even_part(pass.channels, channels_in_cache())),
        blocks_(vectors_, micro::kMaxMatrixVectors),
        packed_(pass.groups * vectors_ * kLanes * pass.channels * taps_),
        start_(static_cast<std::size_t>(pass.groups * vectors_ * kLanes), 0.0f) {
    for (std::int64_t group = 0; pass.bias != nullptr && group < pass.groups; ++group)
      std::copy_n(pass.bias + group * pass.rows, pass.rows, start_.data() + group * vectors_ * kLanes);
  }

  void run() {
    packed_.pack_shared(weights(), [&](auto&&... args) { pack_block(args...); });
    share_tiles(ceil_div(p_.images, images_), p_.groups, blocks_.count,
                images_ * cells_read(p_) * p_.channels * p_.rows, [&] { return Worker(*this); });
  }

 private:
  /// So many that their cells and a block's weights stay in the L2 cache.
  std::int64_t channels_in_cache() const {
    constexpr std::int64_t kCellBytes = 384 << 10, kWeightBytes = 256 << 10, kLeast = 32;
    constexpr std::int64_t kVector = kLanes * sizeof(float);
    const auto fit = [](std::int64_t bytes, std::int64_t vectors) {
      return bytes / (std::max<std::int64_t>(vectors, 1) * kVector);
    };
    return std::max(std::min(fit(kCellBytes, source_), fit(kWeightBytes, taps_ * micro::kMaxMatrixVectors)),
                    kLeast);
  }

  /// Weights in the order the blocks read them: [group][channel block][block][tap][channel][vectors].
  micro::WeightBlocks<float> weights() const {
    return {p_.weights(), p_.groups, p_.channels, block_channels_, blocks_, kLanes, p_.rows};
  }

  void pack_block(std::int64_t group, std::int64_t block, std::int64_t first, std::int64_t channels,
                  const float* from, micro::RowLanes<float>& lanes, float* packed) const {
    const std::int64_t begin = blocks_.begin(block), end = blocks_.begin(block + 1);
    const std::int64_t height = (end - begin) * kLanes;
    for (std::int64_t v = begin; v < end; ++v, from += kLanes * p_.row_stride)
      lanes.each_channel(
          from, std::min(kLanes, p_.rows - v * kLanes), channels,
          [&](std::int64_t channel, const float* weights) {
            float* to =
                packed + packed_at(group, first, begin, channels) + (v - begin) * kLanes + channel * height;
            for (const std::int64_t tap : reads_.taps()) {
              Simd<float>::store(to, Simd<float>::load(weights + tap * micro::RowLanes<float>::kPitch));
              to += channels * height;
            }
          });
  }

  std::int64_t packed_at(std::int64_t group, std::int64_t channel, std::int64_t vector,
                         std::int64_t channels) const {
    return ((group * p_.channels + channel) * vectors_ + vector * channels) * taps_ * kLanes;
  }

  /// One thread's scratch memory.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          weights_(runner.packed_),
          cells_(static_cast<std::size_t>(runner.source_ * runner.block_channels_ * kLanes)),
          sums_(static_cast<std::size_t>(runner.outputs_ * runner.images_ * runner.vectors_ * kLanes)),
          results_(static_cast<std::size_t>(micro::kMaxMatrixVectors * kLanes * runner.outputs_ + kLanes)) {}

    /// Blocks [first, last) of one tile of images of one group.
    void work(std::int64_t tile, std::int64_t group, std::int64_t first, std::int64_t last) {
      weights_.need(r_.weights(), group, first, last, [&](auto&&... args) { r_.pack_block(args...); });
      const std::int64_t image = tile * r_.images_, images = std::min(r_.images_, p_.images - image);
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        if (held_.change(tile, group, c)) fill(image, images, group * p_.channels + c, channels);
        for (std::int64_t block = first; block < last; ++block) multiply(images, group, block, c, channels);
      }
      for (std::int64_t block = first; block < last; ++block) finish(image, images, group, block);
    }

   private:
    /// Cells as [cell][channel][image].
    void fill(std::int64_t image, std::int64_t images, std::int64_t channel, std::int64_t channels) {
      const std::int64_t pitch = p_.groups * p_.channels * r_.source_;
      const float* from = p_.source + image * pitch + channel * r_.source_;
      for (std::int64_t c = 0; c < channels; ++c, from += r_.source_)
        transpose_to_lanes(from, pitch, r_.source_, static_cast<int>(images), cells_.data() + c * kLanes,
                           channels * kLanes);
    }

    float* sums(std::int64_t block) {
      return sums_.data() + r_.outputs_ * r_.images_ * r_.blocks_.begin(block) * kLanes;
    }

    /// Sums as [output][image][vectors].
    void multiply(std::int64_t images, std::int64_t group, std::int64_t block, std::int64_t c,
                  std::int64_t channels) {
      const std::int64_t vector = r_.blocks_.begin(block), wide = r_.blocks_.begin(block + 1) - vector;
      const std::int64_t ld = wide * kLanes;
      const micro::MatrixBlock add = micro::matrix_block(static_cast<int>(images), static_cast<int>(wide));
      const float* weights = weights_.data() + r_.packed_at(group, c, vector, channels);
      const float* start = c == 0 ? r_.start_.data() + (group * r_.vectors_ + vector) * kLanes : nullptr;
      float* sum = sums(block);
      const CellRuns::Run* run = r_.reads_.runs();
      for (const std::int64_t end : r_.reads_.ends()) {
        const CellRuns::Run* last = r_.reads_.runs() + end;
        const float* from = start;
        if (run == last && start != nullptr) add(0, weights, cells_.data(), kLanes, start, 0, sum, ld);
        for (; run < last; ++run, from = nullptr)
          add(run->count * channels, weights + run->tap * channels * ld,
              cells_.data() + run->cell * channels * kLanes, kLanes, from, 0, sum, ld);
        sum += images * ld;
      }
    }

    /// A block's sums to their planes.
    void finish(std::int64_t image, std::int64_t images, std::int64_t group, std::int64_t block) {
      const std::int64_t vector = r_.blocks_.begin(block), row = vector * kLanes;
      const std::int64_t ld = (r_.blocks_.begin(block + 1) - vector) * kLanes;
      const std::int64_t rows = std::min(ld, p_.rows - row);
      const std::int64_t outputs = r_.outputs_;
      for (std::int64_t i = 0; i < images; ++i) {
        // Vectors reach beyond the end of a row, into what is written later.
        for (std::int64_t o = (outputs - 1) / kLanes * kLanes; o >= 0; o -= kLanes)
          transpose_to_lanes(sums(block) + (o * images + i) * ld, images * ld, rows,
                             static_cast<int>(std::min(kLanes, outputs - o)), results_.data() + o, outputs);
        float* to = p_.target + (((image + i) * p_.groups + group) * p_.rows + row) * outputs;
        const float* from = results_.data();
        for (std::int64_t k = 0; k < rows * outputs; ++k) to[k] = p_.beta == 0 ? from[k] : from[k] + to[k];
      }
    }

    Runner& r_;
    const ConvPass<float>& p_;
    micro::PackedWeights<float>::OfWorker weights_;
    detail::Workspace<float> cells_, sums_, results_;
    HeldCells held_;
  };

  const ConvPass<float>& p_;
  CellRuns reads_;
  std::int64_t source_, outputs_, taps_, vectors_, images_, block_channels_;
  micro::RowBlocks blocks_;
  micro::PackedWeights<float> packed_;
  ScratchVector<float> start_;
};

}  // namespace

bool conv_images_pay(const ConvGeometry& g, const ConvPass<float>& pass) {
  constexpr std::int64_t kMostCells = 1000, kFewCells = 40;
  constexpr double kMostCost = 11.6, kMostOfWinograd = 1.1;
  const std::int64_t cells = product(pass.shape.source), outputs = product(pass.shape.out);
  if (!kWidePaths || pass.shape.taps() == 1 || std::max(cells, outputs) > kMostCells) return false;
  // Products here, for one that a path with full blocks would take, padding included.
  const double products = static_cast<double>(cells_read(pass)) /
                          static_cast<double>(pass.shape.taps() * outputs) / lanes_filled(pass.rows) *
                          static_cast<double>(kMostImages) /
                          static_cast<double>(even_part(pass.images, kMostImages));
  if (conv_winograd_pays(g) &&
      (products > kMostOfWinograd || (winograd_form(g) == WinogradForm::squares && cells > kFewCells)))
    return false;
  // Others leave lanes of short rows empty; large planes leave the cache here.
  return products * std::sqrt(lanes_filled(pass.shape.out[2]) * static_cast<double>(cells)) < kMostCost;
}

void conv_by_images(const ConvPass<float>& pass) { Runner(pass).run(); }

}  // namespace evenkeel::kernels
