#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_runs.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/conv_winograd_rows.h>
#include <evenkeel/core/kernels/conv_winograd_squares.h>
#include <evenkeel/core/kernels/conv_winograd_tile.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <optional>

namespace evenkeel::kernels {

namespace {

using winograd::kLanes;
using winograd::kOutputs;
using winograd::kPoints;
using winograd::kTaps;

constexpr std::int64_t kTileBytes = 600 << 10;   ///< cells and gradients of a tile
constexpr std::int64_t kSquaresBytes = 1 << 20;  ///< the same of squares
constexpr std::int64_t kPositions = 256;         ///< most quadruples of outputs in a tile
constexpr std::int64_t kChunk = 128;             ///< output channels of a piece
constexpr std::int64_t kChannelBlock = 64;
constexpr std::int64_t kWorthASet = 512;  ///< quadruples that pay for a set of sums of their own

/// Sums over quadruples of outputs of transformed cells times transformed gradients, point by point; what the
/// sums of all quadruples stand for is worked out once, at the end.
class WeightGrad {
 public:
  WeightGrad(const ConvGeometry& g, WinogradForm form, const float* x, const float* gy)
      : x_(x),
        gy_(gy),
        squares_(form == WinogradForm::squares),
        points_(squares_ ? winograd::kSquarePoints : kPoints),
        shape_(winograd::correlation(g, form, false)),
        out_(as_volume(g.rank, g.out, 1)),
        groups_(g.groups),
        channels_(g.in_channels / g.groups),
        outs_(g.out_channels / g.groups),
        height_(squares_ ? g.kernel[g.rank - 2] : 1),
        kernel_(g.kernel[g.rank - 1]),
        taps_(shape_.taps()),
        chunk_(ceil_div(even_part(outs_, kChunk), kLanes) * kLanes),
        chunks_(ceil_div(outs_, chunk_)),
        block_(std::min(channels_, kChannelBlock)),
        cuts_(sets_of_sums(groups_ * chunks_, g.batch * product(shape_.out), kWorthASet)),
        plan_(shape_, g.batch, positions(), cuts_, 0, TilePlan::Strides::apart, kLanes),
        point_cells_(plan_.size(block_)),
        joined_(out_[2]) {
    cuts_ = std::clamp<std::int64_t>(plan_.tiles(), 1, cuts_);
    chunk_ = shared_chunk(chunk_, groups_ * chunks_ * cuts_, channels_, kLanes);
    chunks_ = ceil_div(outs_, chunk_);
    point_sums_ = channels_ * taps_ * chunk_;
  }

  void run(float* gw, float beta) const {
    const std::int64_t piece_size = points_ * point_sums_;
    detail::Workspace<float> sums(static_cast<std::size_t>(cuts_ * groups_ * chunks_ * piece_size));
    const std::int64_t pieces = groups_ * chunks_ * cuts_;
    const std::int64_t shares = channel_shares(pieces, channels_);
    detail::parallel_for(pieces * shares, [&](std::int64_t i) {
      const std::int64_t piece = i / shares, share = i % shares, cut = piece % cuts_;
      Worker(*this).add_tiles(piece / cuts_, plan_.tiles() * cut / cuts_, plan_.tiles() * (cut + 1) / cuts_,
                              channels_ * share / shares, channels_ * (share + 1) / shares,
                              sums.data() + piece * piece_size);
    });
    const std::int64_t strip = std::min(ceil_div(channels_, num_threads()), ceil_div(3 * kLanes, taps_));
    const std::int64_t strips = ceil_div(channels_, strip);
    detail::parallel_for(groups_ * chunks_ * strips, [&](std::int64_t i) {
      const std::int64_t first = i % strips * strip;
      deliver(i / strips, first, std::min(strip, channels_ - first),
              sums.data() + i / strips * cuts_ * piece_size, gw, beta);
    });
  }

 private:
  std::int64_t positions() const {
    const auto pieces = static_cast<std::int64_t>(shape_.at[2].size() * (squares_ ? shape_.at[1].size() : 1));
    const std::int64_t fits = (squares_ ? kSquaresBytes : kTileBytes) /
                              (points_ * static_cast<std::int64_t>(sizeof(float))) /
                              (chunk_ + block_ * pieces);
    return std::clamp<std::int64_t>(fits / kLanes * kLanes, 2 * kLanes, kPositions);
  }

  class Worker {
   public:
    explicit Worker(const WeightGrad& grad)
        : g_(grad),
          positions_(product(grad.plan_.full().count) * grad.plan_.full().images),
          row_pitch_((ceil_div(positions_, kLanes) | 1) * kLanes + kLanes),
          cells_(static_cast<std::size_t>(grad.points_ * grad.point_cells_)),
          rows_(static_cast<std::size_t>(grad.points_ * kLanes * row_pitch_)),
          gradient_(static_cast<std::size_t>(grad.points_ * positions_ * grad.chunk_)) {
      if (!grad.squares_) return;
      square_rows_.emplace(grad.shape_.source[2], grad.plan_.rows_stored());
      square_gradients_.emplace(grad.out_[2], grad.plan_.rows_stored());
    }

    /// Sums of tiles [first, last) for channels [begin, end): [point][channel, tap][output channel].
    void add_tiles(std::int64_t group_chunk, std::int64_t first, std::int64_t last, std::int64_t begin,
                   std::int64_t end, float* sum) {
      for (std::int64_t point = 0; point < g_.points_; ++point)
        std::fill_n(sum + point * g_.point_sums_ + begin * g_.taps_ * g_.chunk_,
                    (end - begin) * g_.taps_ * g_.chunk_, 0.0f);
      const std::int64_t group = group_chunk / g_.chunks_;
      const std::int64_t out = group_chunk % g_.chunks_ * g_.chunk_;
      const std::int64_t outs = std::min(g_.chunk_, g_.outs_ - out);
      const std::int64_t plane = product(g_.shape_.source);
      for (std::int64_t index = first; index < last; ++index) {
        const Tile t = g_.plan_.tile(index);
        winograd::for_turns(g_.shape_.turns, [&]<int kWidth>() {
          transform_gradient<kWidth>(t, group * g_.outs_ + out, outs);
        });
        runs_.list(g_.plan_, g_.shape_, t);
        for (std::int64_t c = begin; c < end; c += g_.block_) {
          const std::int64_t channels = std::min(g_.block_, end - c);
          winograd::fill_tile(g_.plan_, g_.shape_, g_.joined_, t, g_.x_ + (group * g_.channels_ + c) * plane,
                              g_.groups_ * g_.channels_ * plane, channels, g_.point_cells_,
                              square_rows_ ? &*square_rows_ : nullptr, cells_.data());
          for (std::int64_t point = 0; point < g_.points_; ++point)
            multiply(point, outs, channels, sum + point * g_.point_sums_ + c * g_.taps_ * g_.chunk_);
        }
      }
    }

   private:
    void multiply(std::int64_t point, std::int64_t outs, std::int64_t channels, float* sum) {
      const std::int64_t vectors = ceil_div(outs, kLanes);
      const std::int64_t pitch = g_.plan_.channel_size();
      for (std::int64_t v = 0; v < vectors; v += micro::weight_vectors(vectors, v)) {
        const auto wide = static_cast<int>(micro::weight_vectors(vectors, v));
        const float* gradient = gradient_.data() + positions_ * (point * g_.chunk_ + v * kLanes);
        const std::int64_t blocks = ceil_div(channels, micro::weight_rows(wide));
        for (std::int64_t b = 0; b < blocks; ++b)
          for (std::int64_t tap = 0; tap < g_.taps_; ++tap) {
            const std::int64_t row = channels * b / blocks;
            const auto rows = static_cast<int>(channels * (b + 1) / blocks - row);
            const std::vector<micro::WeightRun>& read = runs_.of_tap(tap);
            micro::weight_block<float>(rows, wide)(
                static_cast<std::int64_t>(read.size()), read.data(),
                cells_.data() + point * g_.point_cells_ + row * pitch + g_.plan_.tap_offsets()[tap], pitch,
                gradient, sum + (row * g_.taps_ + tap) * g_.chunk_ + v * kLanes, g_.taps_ * g_.chunk_);
          }
      }
    }

    /// gy of the tile, transformed, as [point][panel][position][output channel of the panel].
    template <int kWidth>
    void transform_gradient(const Tile& t, std::int64_t out, std::int64_t outs) {
      const std::int64_t vectors = ceil_div(outs, kLanes);
      const std::int64_t plane = product(g_.out_);
      const std::int64_t count = product(t.count) * t.images;
      const winograd::GradientRow<kWidth> row(g_.joined_, g_.out_[2], g_.shape_.turns, t.begin[2], t.count[2],
                                              kLanes * row_pitch_);
      for (std::int64_t v = 0; v < vectors; v += micro::weight_vectors(vectors, v)) {
        const std::int64_t wide = micro::weight_vectors(vectors, v);
        for (std::int64_t lane = 0; lane < wide; ++lane) {
          const std::int64_t first = (v + lane) * kLanes;
          const std::int64_t some = std::min<std::int64_t>(kLanes, outs - first);
          for (std::int64_t o = 0; o < some; ++o) {
            float* to = rows_.data() + o * row_pitch_;
            for (std::int64_t image = t.image; image < t.image + t.images; ++image) {
              const float* from = g_.gy_ + (image * g_.groups_ * g_.outs_ + out + first + o) * plane;
              for (std::int64_t d = t.begin[0]; d < t.begin[0] + t.count[0]; ++d) {
                const std::int64_t high = g_.squares_ ? kOutputs * t.begin[1] : t.begin[1];
                const float* rows = from + (d * g_.out_[1] + high) * g_.out_[2];
                if (g_.squares_) {
                  const std::int64_t begin = kOutputs * t.begin[2];
                  square_gradients_->add<kOutputs>(rows, g_.out_[1] - high, 0, t.count[1], begin,
                                                   std::min(begin + kOutputs * t.count[2], g_.out_[2]), plane,
                                                   winograd::gradients_at_points);
                  continue;
                }
                if (row.joins())
                  row.copy_rows(rows, t.count[1], to);
                else
                  for (std::int64_t h = 0; h < t.count[1]; ++h)
                    row.copy(rows + h * g_.out_[2], to + h * t.count[2]);
                to += t.count[1] * t.count[2];
              }
            }
            if constexpr (kWidth == 1)
              if (g_.squares_)
                winograd::finish_gradients(row, *square_gradients_, t.count[2], kLanes * row_pitch_, to);
          }
          for (std::int64_t point = 0; point < g_.points_; ++point)
            transpose_to_lanes(
                rows_.data() + point * kLanes * row_pitch_, row_pitch_, count, static_cast<int>(some),
                gradient_.data() + positions_ * (point * g_.chunk_ + v * kLanes) + lane * kLanes,
                wide * kLanes);
        }
      }
    }

    const WeightGrad& g_;
    std::int64_t positions_, row_pitch_;
    detail::Workspace<float> cells_, rows_, gradient_;
    std::optional<winograd::SquareRows> square_rows_, square_gradients_;
    TapRuns runs_;
  };

  /// Sums of the cuts in order, at the points, to the weights [output channel][channel][tap].
  void deliver(std::int64_t group_chunk, std::int64_t channel, std::int64_t channels, const float* sums,
               float* gw, float beta) const {
    const std::int64_t across = ceil_div(kernel_, kTaps), down = ceil_div(height_, kTaps);
    const std::int64_t lines = taps_ / (across * down), weights_a_line = height_ * kernel_;
    const std::int64_t out = group_chunk % chunks_ * chunk_;
    const std::int64_t outs = std::min(chunk_, outs_ - out);
    const std::int64_t rows = channels * lines * weights_a_line;
    detail::Workspace<float> memory(static_cast<std::size_t>((points_ + rows) * chunk_));
    float* total = memory.data();
    float* weights = total + points_ * chunk_;
    for (std::int64_t line = 0; line < channels * lines; ++line)
      for (std::int64_t piece = 0; piece < across * down; ++piece) {
        const float* from = sums + ((channel * lines + line) * across * down + piece) * chunk_;
        for (std::int64_t point = 0; point < points_; ++point) {
          float* to = total + point * chunk_;
          std::copy_n(from + point * point_sums_, chunk_, to);
          for (std::int64_t cut = 1; cut < cuts_; ++cut)
            for (std::int64_t o = 0; o < chunk_; ++o)
              to[o] += from[(cut * points_ + point) * point_sums_ + o];
        }
        const std::int64_t row = piece / across * kTaps, tap = piece % across * kTaps;
        deliver_piece(total, std::min(kTaps, height_ - row), std::min(kTaps, kernel_ - tap),
                      weights + (line * weights_a_line + row * kernel_ + tap) * chunk_);
      }
    const std::int64_t pitch = channels_ * lines * weights_a_line;
    float* to = gw + (group_chunk / chunks_ * outs_ + out) * pitch + channel * lines * weights_a_line;
    for (std::int64_t row = 0; row < rows; row += kLanes)
      deliver_sums(weights + row * chunk_, chunk_, std::min(kLanes, rows - row), outs, beta, to + row, pitch);
  }

  /// Sums at the points to the `high` x `wide` weights they stand for, rows of weights kernel_ apart.
  void deliver_piece(const float* total, std::int64_t high, std::int64_t wide, float* weights) const {
    using winograd::S;
    for (std::int64_t o = 0; o < chunk_; o += kLanes) {
      std::array<winograd::AtPoints, kTaps> rows;  // of weights, at the points of the last axis
      if (squares_)
        for (std::int64_t q = 0; q < kPoints; ++q) {
          const auto taps =
              winograd::tap_gradients_of(winograd::load_points(total + q * chunk_ + o, kPoints * chunk_));
          for (std::int64_t row = 0; row < kTaps; ++row) rows[row][q] = taps[row];
        }
      else
        rows[0] = winograd::load_points(total + o, chunk_);
      for (std::int64_t row = 0; row < high; ++row) {
        const auto taps = winograd::tap_gradients_of(rows[row]);
        for (std::int64_t tap = 0; tap < wide; ++tap)
          S::store(weights + (row * kernel_ + tap) * chunk_ + o, taps[tap]);
      }
    }
  }

  const float* x_;
  const float* gy_;
  bool squares_;
  std::int64_t points_;
  Correlation shape_;
  Sizes3 out_;
  std::int64_t groups_, channels_, outs_, height_, kernel_, taps_, chunk_, chunks_, block_, cuts_;
  TilePlan plan_;
  std::int64_t point_cells_, point_sums_ = 0;
  winograd::JoinedRows joined_;
};

}  // namespace

void conv_winograd_weight_grad(const ConvGeometry& g, WinogradForm form, const float* x, const float* gy,
                               float* gw, float beta) {
  WeightGrad(g, form, x, gy).run(gw, beta);
}

}  // namespace evenkeel::kernels
