#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kWantedPieces = 16;
constexpr std::int64_t kPositions = 1024;
constexpr std::int64_t kSums = 512;  ///< vector sums of a row kept at a time
constexpr std::int64_t kWorthAPiece = 1 << 18;

template <class T>
class DotGrad {
 public:
  DotGrad(const ConvGeometry& g, const T* x, const T* gy)
      : x_(x),
        gy_(gy),
        shape_(forward_correlation(g)),
        groups_(g.groups),
        channels_(g.in_channels / g.groups),
        outs_(g.out_channels / g.groups),
        taps_(shape_.taps()),
        block_(std::clamp<std::int64_t>(kSums / taps_, 1, channels_)),
        cuts_(std::clamp<std::int64_t>(kWantedPieces / groups_, 1, kWantedPieces)),
        plan_(shape_, g.batch, kPositions, cuts_, outs_, TilePlan::Strides::apart, kLanes) {
    cuts_ = std::clamp<std::int64_t>(plan_.tiles(), 1, cuts_);
    for (std::int64_t c = 0; c < block_; ++c)
      for (const std::int32_t tap : plan_.tap_offsets())
        offsets_.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + tap);
  }

  void run(T* gw, T beta) {
    const std::int64_t count = groups_ * outs_ * channels_ * taps_;
    detail::Workspace<T> partial(static_cast<std::size_t>(cuts_ * count));
    const std::int64_t work =
        plan_.tiles() / cuts_ * product(plan_.full().count) * plan_.full().images * outs_ * channels_ * taps_;
    const std::int64_t grain = std::max<std::int64_t>(kWorthAPiece / std::max<std::int64_t>(work, 1), 1);
    detail::parallel_ranges(cuts_ * groups_, grain, [&](std::int64_t begin, std::int64_t end) {
      Worker worker(*this);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t cut = i / groups_;
        worker.work(i % groups_, plan_.tiles() * cut / cuts_, plan_.tiles() * (cut + 1) / cuts_,
                    partial.data() + cut * count);
      }
    });
    sum_axis(1, cuts_, count, T(1), partial.data(), beta, gw);
  }

 private:
  static constexpr int kLanes = Simd<T>::kLanes;

  /// Cells of the walk over a tile, in whole vectors.
  std::int64_t walk(const Tile& t) const { return ceil_div(plan_.walk(t), kLanes) * kLanes; }

  class Worker {
   public:
    explicit Worker(const DotGrad& d)
        : d_(d),
          pitch_(d.walk(d.plan_.full()) + kLanes),
          cells_size_(d.plan_.size(d.block_)),
          cells_(static_cast<std::size_t>(cells_size_)),
          gradient_(static_cast<std::size_t>(d.outs_ * pitch_)),
          sums_(static_cast<std::size_t>(d.outs_ * d.block_ * d.taps_ * kLanes)) {
      // Cells between the rows meet gradients of zero: they must be numbers.
      std::fill_n(cells_.data(), cells_size_, T(0));
    }

    /// Tiles [first, last) of one group, to `result` (out channel, channel, tap).
    void work(std::int64_t group, std::int64_t first, std::int64_t last, T* result) {
      const TilePlan& plan = d_.plan_;
      const std::int64_t source_plane = product(d_.shape_.source);
      for (std::int64_t c = 0; c < d_.channels_; c += d_.block_) {
        const std::int64_t channels = std::min(d_.block_, d_.channels_ - c);
        const std::int64_t columns = channels * d_.taps_;
        std::fill_n(sums_.data(), d_.outs_ * columns * kLanes, T(0));
        for (std::int64_t index = first; index < last; ++index) {
          const Tile t = plan.tile(index);
          plan.fill(t, d_.x_ + (group * d_.channels_ + c) * source_plane,
                    d_.groups_ * d_.channels_ * source_plane, channels, cells_.data());
          copy_gradient(t, group);
          for (std::int64_t o = 0; o < d_.outs_; o += micro::kMaxDotRows)
            for (std::int64_t j = 0; j < columns; j += micro::kMaxDotColumns) {
              const auto rows = static_cast<int>(std::min<std::int64_t>(micro::kMaxDotRows, d_.outs_ - o));
              const auto wide = static_cast<int>(std::min<std::int64_t>(micro::kMaxDotColumns, columns - j));
              micro::dot_block<T>(rows, wide)(d_.walk(t), gradient_.data() + o * pitch_, pitch_,
                                              cells_.data(), d_.offsets_.data() + j,
                                              sums_.data() + (o * columns + j) * kLanes, columns * kLanes);
            }
        }
        for (std::int64_t o = 0; o < d_.outs_; ++o)
          for (std::int64_t j = 0; j < columns; ++j) {
            const T* lanes = sums_.data() + (o * columns + j) * kLanes;
            T total = 0;
            for (int lane = 0; lane < kLanes; ++lane) total += lanes[lane];
            result[((group * d_.outs_ + o) * d_.channels_ + c) * d_.taps_ + j] = total;
          }
      }
    }

   private:
    /// gy of the tile, laid out like the tile's cells, zero between the rows.
    void copy_gradient(const Tile& t, std::int64_t group) {
      const Sizes3& out = d_.shape_.out;
      const RowCopy<T> row(t.count[2], 0, 1, t.count[2]);
      for (std::int64_t o = 0; o < d_.outs_; ++o) {
        T* to = gradient_.data() + o * pitch_;
        std::int64_t done = 0;
        for (std::int64_t image = 0; image < t.images; ++image)
          for (std::int64_t d = 0; d < t.count[0]; ++d)
            for (std::int64_t h = 0; h < t.count[1]; ++h) {
              const T* plane =
                  d_.gy_ + (((t.image + image) * d_.groups_ + group) * d_.outs_ + o) * product(out);
              const std::int64_t at = d_.plan_.row_offset(image, d, h);
              if (done < at) std::fill(to + done, to + at, T(0));
              row.copy(plane + ((t.begin[0] + d) * out[1] + t.begin[1] + h) * out[2] + t.begin[2], 0,
                       to + at);
              done = at + ceil_div(t.count[2], kLanes) * kLanes;
            }
        if (done < d_.walk(t)) std::fill(to + done, to + d_.walk(t), T(0));
      }
    }

    const DotGrad& d_;
    std::int64_t pitch_, cells_size_;
    detail::Workspace<T> cells_, gradient_, sums_;
  };

  const T* x_;
  const T* gy_;
  Correlation shape_;
  std::int64_t groups_, channels_, outs_, taps_, block_, cuts_;
  TilePlan plan_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

bool conv_dot_weight_grad_pays(const ConvGeometry& g) {
  constexpr std::int64_t kVeryFew = 4, kFew = 8, kSome = 12, kLongPlane = 256, kVeryLongPlane = 1000;
  const std::int64_t outs = g.out_channels / g.groups;
  const std::int64_t plane = product(as_volume(g.rank, g.out, 1));
  return outs <= kVeryFew || (outs <= kFew && plane >= kLongPlane) ||
         (outs <= kSome && plane >= kVeryLongPlane);
}

template <class T>
void conv_dot_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  DotGrad<T>(g, x, gy).run(gw, beta);
}

template void conv_dot_weight_grad(const ConvGeometry&, const float*, const float*, float*, float);
template void conv_dot_weight_grad(const ConvGeometry&, const double*, const double*, double*, double);

}  // namespace evenkeel::kernels
