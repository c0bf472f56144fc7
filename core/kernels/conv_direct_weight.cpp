#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_runs.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kTileBytes = 300 << 10;
constexpr std::int64_t kChunk = 128;  ///< output channels of a piece
constexpr std::int64_t kChannelBlock = 64;
constexpr std::int64_t kWorthASet = 1024;  ///< positions that pay for a set of sums of their own
constexpr std::int64_t kFewChannels = 8;   ///< below, a block takes any taps of any channels

/// Whether a kernel of one cell reads every cell of a single row.
bool is_one_row(const Correlation& c) {
  for (int axis = 0; axis < 3; ++axis)
    if (c.at[axis] != std::vector<std::int64_t>{0} || c.source[axis] != c.out[axis]) return false;
  return product(c.out) == c.out[2];
}

template <class T>
class WeightGrad {
 public:
  /// turned: sums are those of the gradient with x and gy in each other's place, and delivered turned back.
  WeightGrad(const ConvGeometry& g, const T* x, const T* gy, bool turned)
      : x_(x),
        gy_(gy),
        turned_(turned),
        shape_(forward_correlation(g)),
        batch_(g.batch),
        groups_(g.groups),
        channels_(g.in_channels / g.groups),
        outs_(g.out_channels / g.groups),
        taps_(shape_.taps()),
        any_taps_(channels_ < kFewChannels && taps_ > 1),
        chunks_(ceil_div(outs_, kChunk)),
        chunk_(ceil_div(ceil_div(outs_, chunks_), kLanes) * kLanes),
        block_(std::min(channels_, kChannelBlock)),
        cuts_(sets_of_sums(groups_ * chunks_, batch_ * product(shape_.out), kWorthASet)),
        plan_(shape_, batch_, positions(), cuts_, 0,
              any_taps_ ? TilePlan::Strides::kept : TilePlan::Strides::last_apart, kLanes),
        in_place_(is_one_row(shape_) && lies_well(shape_.out[2]) && plan_.full().images == 1),
        rows_(channels_ * taps_) {
    cuts_ = std::clamp<std::int64_t>(plan_.tiles(), 1, cuts_);
    chunk_ = shared_chunk(chunk_, groups_ * chunks_ * cuts_, channels_, kLanes);
    chunks_ = ceil_div(outs_, chunk_);
    for (std::int64_t channel = 0; any_taps_ && channel < channels_; ++channel)
      for (const std::int32_t offset : plan_.tap_offsets())
        row_offsets_.push_back(static_cast<std::int32_t>(channel * plan_.channel_size()) + offset);
  }

  void run(T* gw, T beta) {
    const std::int64_t piece_size = rows_ * chunk_;
    detail::Workspace<T> sums(static_cast<std::size_t>(cuts_ * groups_ * chunks_ * piece_size));
    const std::int64_t pieces = groups_ * chunks_ * cuts_;
    const std::int64_t shares = any_taps_ ? 1 : channel_shares(pieces, channels_);
    const auto add_share = [&](std::int64_t piece, std::int64_t channel, std::int64_t channels) {
      T* sum = sums.data() + piece * piece_size + channel * taps_ * chunk_;
      std::fill_n(sum, channels * taps_ * chunk_, T(0));
      const std::int64_t cut = piece % cuts_;
      add_tiles(piece / cuts_, plan_.tiles() * cut / cuts_, plan_.tiles() * (cut + 1) / cuts_, channel,
                channels, sum);
    };
    const std::int64_t work = batch_ * product(shape_.out) / cuts_ * channels_ / shares * taps_ * chunk_;
    detail::parallel_ranges(pieces * shares, ceil_div(kProductsAPiece, std::max<std::int64_t>(work, 1)),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const std::int64_t first = channels_ * (i % shares) / shares;
                                add_share(i / shares, first, channels_ * (i % shares + 1) / shares - first);
                              }
                            });
    // Sums of the cuts in order, transposed to [output channel][channel, tap].
    const std::int64_t strips = ceil_div(rows_, kLanes);
    detail::parallel_shares(groups_ * chunks_ * strips, ceil_div(1 << 15, kLanes * chunk_ * cuts_),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const std::int64_t row = i % strips * kLanes;
                                const std::int64_t rows = std::min<std::int64_t>(kLanes, rows_ - row);
                                const std::int64_t out = i / strips % chunks_ * chunk_;
                                T* sum = sums.data() + i / strips * cuts_ * piece_size + row * chunk_;
                                T* to = gw + (i / strips / chunks_ * outs_ + out) * rows_ + row;
                                T* turned_to = gw + (i / strips / chunks_ * rows_ + row) * outs_ + out;
                                const std::int64_t outs = std::min(chunk_, outs_ - out);
                                if (!turned_) fetch_weights(to, rows_, outs);
                                for (std::int64_t cut = 1; cut < cuts_; ++cut)
                                  for (std::int64_t j = 0; j < rows * chunk_; ++j)
                                    sum[j] += sum[cut * piece_size + j];
                                if (turned_)
                                  deliver_turned(sum, rows, outs, beta, turned_to);
                                else
                                  deliver_sums(sum, chunk_, rows, outs, beta, to, rows_);
                              }
                            });
  }

 private:
  static constexpr std::int64_t kLanes = Simd<T>::kLanes;

  /// Whether neighbouring rows of `length` cells stay in the caches.
  static bool lies_well(std::int64_t length) {
    constexpr std::int64_t kFewSets = 128 << 10;  // bytes after which lines fall on the same ones
    return length * static_cast<std::int64_t>(sizeof(T)) % kFewSets != 0;
  }

  void deliver_turned(const T* sum, std::int64_t rows, std::int64_t outs, T beta, T* to) const {
    for (std::int64_t r = 0; r < rows; ++r, sum += chunk_, to += outs_)
      for (std::int64_t j = 0; j < outs; ++j) to[j] = beta == T(0) ? sum[j] : to[j] + sum[j];
  }

  std::int64_t positions() const {
    const std::int64_t fits = kTileBytes / static_cast<std::int64_t>(sizeof(T)) / (chunk_ + block_);
    return std::clamp<std::int64_t>(fits / kLanes * kLanes, 4 * kLanes, 512);
  }

  /// Adds tiles [first, last) of some of the group's channels to `sum`, [channel, tap][output channel].
  void add_tiles(std::int64_t group_chunk, std::int64_t first, std::int64_t last, std::int64_t channel,
                 std::int64_t all_channels, T* sum) const {
    const std::int64_t group = group_chunk / chunks_;
    const std::int64_t out = group_chunk % chunks_ * chunk_;
    const std::int64_t outs = std::min(chunk_, outs_ - out);
    const std::int64_t vectors = ceil_div(outs, kLanes);
    detail::Workspace<T> cells(static_cast<std::size_t>(in_place_ ? 0 : plan_.size(block_)));
    const Tile full = plan_.full();
    detail::Workspace<T> gradient(static_cast<std::size_t>(product(full.count) * full.images * chunk_));
    TapRuns runs;
    for (std::int64_t index = first; index < last; ++index) {
      const Tile t = plan_.tile(index);
      const std::int64_t positions = product(t.count) * t.images;
      transpose(t, group * outs_ + out, outs, gradient.data());
      runs.list(plan_, shape_, t, any_taps_);
      for (std::int64_t c = 0; c < all_channels; c += block_) {
        const std::int64_t channels = std::min(block_, all_channels - c);
        const std::int64_t plane = product(shape_.source), image_stride = groups_ * channels_ * plane;
        const T* source = x_ + (group * channels_ + channel + c) * plane;
        if (in_place_)
          source += t.image * image_stride + t.begin[2];
        else
          plan_.fill(t, source, image_stride, channels, cells.data());
        const T* read = in_place_ ? source : cells.data();
        const std::int64_t pitch = in_place_ ? plane : plan_.channel_size();
        for (std::int64_t v = 0; v < vectors; v += micro::weight_vectors(vectors, v)) {
          const int wide = static_cast<int>(micro::weight_vectors(vectors, v));
          const T* part = gradient.data() + positions * v * kLanes;
          T* to = sum + c * taps_ * chunk_ + v * kLanes;
          if (any_taps_)
            multiply_taps(runs.of_tap(0), wide, read, part, to);
          else
            multiply_channels(runs, channels, wide, read, pitch, part, to);
        }
      }
    }
  }

  void multiply_taps(const std::vector<micro::WeightRun>& runs, int wide, const T* cells, const T* gradient,
                     T* sum) const {
    const std::int64_t blocks = ceil_div(rows_, micro::kMaxTapRows);
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t row = rows_ * b / blocks;
      const auto rows = static_cast<int>(rows_ * (b + 1) / blocks - row);
      micro::tap_block<T>(rows, wide)(static_cast<std::int64_t>(runs.size()), runs.data(), cells,
                                      row_offsets_.data() + row, plan_.step(), gradient, sum + row * chunk_,
                                      chunk_);
    }
  }

  void multiply_channels(const TapRuns& runs, std::int64_t channels, int wide, const T* cells,
                         std::int64_t pitch, const T* gradient, T* sum) const {
    const std::int64_t blocks = ceil_div(channels, micro::weight_rows(wide));
    for (std::int64_t b = 0; b < blocks; ++b)
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        const std::int64_t row = channels * b / blocks;
        const auto rows = static_cast<int>(channels * (b + 1) / blocks - row);
        const std::vector<micro::WeightRun>& read = runs.of_tap(tap);
        micro::weight_block<T>(rows, wide)(static_cast<std::int64_t>(read.size()), read.data(),
                                           cells + row * pitch + plan_.tap_offsets()[tap], pitch, gradient,
                                           sum + (row * taps_ + tap) * chunk_, taps_ * chunk_);
      }
  }

  /// gy of the tile as [panel][position][output channel of the panel].
  void transpose(const Tile& t, std::int64_t out, std::int64_t outs, T* to) const {
    const std::int64_t vectors = ceil_div(outs, kLanes);
    const std::int64_t plane = product(shape_.out);
    const std::int64_t positions = product(t.count) * t.images;
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;  // first output and length, joined where whole
    for (std::int64_t d = 0; d < t.count[0]; ++d)
      for (std::int64_t h = 0; h < t.count[1]; ++h) {
        const std::int64_t at =
            ((t.begin[0] + d) * shape_.out[1] + t.begin[1] + h) * shape_.out[2] + t.begin[2];
        if (!rows.empty() && rows.back().first + rows.back().second == at)
          rows.back().second += t.count[2];
        else
          rows.push_back({at, t.count[2]});
      }
    for (std::int64_t v = 0; v < vectors; v += micro::weight_vectors(vectors, v)) {
      const std::int64_t wide = micro::weight_vectors(vectors, v);
      for (std::int64_t lane = 0; lane < wide; ++lane) {
        const std::int64_t first = (v + lane) * kLanes;
        T* at = to + positions * v * kLanes + lane * kLanes;
        for (std::int64_t image = t.image; image < t.image + t.images; ++image)
          for (const auto& [from, count] : rows) {
            transpose_to_lanes(gy_ + (image * groups_ * outs_ + out + first) * plane + from, plane, count,
                               static_cast<int>(std::min<std::int64_t>(kLanes, outs - first)), at,
                               wide * kLanes);
            at += count * wide * kLanes;
          }
      }
    }
  }

  const T* x_;
  const T* gy_;
  bool turned_;
  Correlation shape_;
  std::int64_t batch_, groups_, channels_, outs_, taps_;
  bool any_taps_;
  std::int64_t chunks_, chunk_, block_, cuts_;
  TilePlan plan_;
  bool in_place_;                          ///< of a kernel of one cell, rows are read where they lie
  std::int64_t rows_;                      ///< of sums: one for each channel and tap
  std::vector<std::int32_t> row_offsets_;  ///< of their cells, with any_taps_
};

}  // namespace

template <class T>
void conv_direct_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  // Rows of one side are read where they lie, those of the other are transposed: the fewer, if they fill
  // lanes.
  constexpr std::int64_t kLongRow = 512, kManyMore = 2;
  const Correlation shape = forward_correlation(g);
  const std::int64_t ins = g.in_channels / g.groups, outs = g.out_channels / g.groups;
  if (is_one_row(shape) && shape.out[2] >= kLongRow && outs >= kManyMore * ins &&
      ins % Simd<T>::kLanes == 0) {
    ConvGeometry turned = g;
    std::swap(turned.in_channels, turned.out_channels);
    return WeightGrad<T>(turned, gy, x, true).run(gw, beta);
  }
  WeightGrad<T>(g, x, gy, false).run(gw, beta);
}

template void conv_direct_weight_grad(const ConvGeometry&, const float*, const float*, float*, float);
template void conv_direct_weight_grad(const ConvGeometry&, const double*, const double*, double*, double);

}  // namespace evenkeel::kernels
