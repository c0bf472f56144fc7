#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_micro.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kSumLength =
    192;  ///< products added before a block goes back to memory: its cells stay in L1
constexpr std::int64_t kTileBytes = 400 << 10;  ///< cells and results of a tile
constexpr std::int64_t kPositions = 512;
constexpr std::int64_t kWorthAPiece = 1 << 19;  ///< multiply-adds worth handing to another thread
constexpr std::int64_t kWantedPieces = 16;

/// One pass: `rows` results a group from `channels` source channels a group.
template <class T>
struct Pass {
  Correlation shape;
  std::int64_t images, groups, channels, rows;
  const T* source;
  // Weight of (group, row, channel, tap).
  const T* w;
  std::int64_t group_stride, row_stride, channel_stride;
  std::vector<std::int64_t> tap;
  // Output q of an axis goes to cell start + q * step of a plane of `size`.
  T* target;
  Sizes3 size, step, start;
  const T* bias;
  T beta;
};

/// Rows in blocks of nearly equal height.
struct Blocks {
  explicit Blocks(std::int64_t total) : rows(total), count(ceil_div(total, micro::kMaxRows)) {}
  std::int64_t begin(std::int64_t block) const {
    return block * (rows / count) + std::min(block, rows % count);
  }
  std::int64_t rows, count;
};

template <class T>
class Runner {
 public:
  explicit Runner(const Pass<T>& pass)
      : p_(pass),
        taps_(static_cast<std::int64_t>(pass.tap.size())),
        blocks_(pass.rows),
        block_channels_(even(pass.channels, std::max<std::int64_t>(kSumLength / taps_, 1))),
        plan_(pass.shape, pass.images, positions(), kWantedPieces, TilePlan::Layout::shared, kLanes),
        packed_(static_cast<std::size_t>(pass.groups * pass.rows * pass.channels * taps_)) {
    for (std::int64_t c = 0; c < block_channels_; ++c)
      for (const std::int32_t tap : plan_.tap_offsets())
        offsets_.push_back(static_cast<std::int32_t>(c * plan_.channel_size()) + tap);
    scratch_ = plan_.flat() || pass.step != Sizes3{1, 1, 1};
  }

  void run() {
    pack();
    const std::int64_t tiles = plan_.tiles();
    const std::int64_t cuts = std::clamp<std::int64_t>(
        kWantedPieces / std::max<std::int64_t>(tiles * p_.groups, 1), 1, blocks_.count);
    const std::int64_t work =
        product(plan_.box()) * plan_.images() * p_.channels * taps_ * ceil_div(p_.rows, cuts);
    const std::int64_t grain = std::max<std::int64_t>(kWorthAPiece / std::max<std::int64_t>(work, 1), 1);
    detail::parallel_ranges(tiles * p_.groups * cuts, grain, [&](std::int64_t begin, std::int64_t end) {
      Worker worker(*this);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t cut = i % cuts;
        const std::int64_t group = i / cuts % p_.groups;
        worker.work(plan_.tile(i / cuts / p_.groups), group, blocks_.count * cut / cuts,
                    blocks_.count * (cut + 1) / cuts);
      }
    });
  }

 private:
  static constexpr int kLanes = Simd<T>::kLanes;

  static std::int64_t even(std::int64_t total, std::int64_t most) {
    return ceil_div(total, ceil_div(total, most));
  }

  std::int64_t positions() const {
    const std::int64_t fits = kTileBytes / static_cast<std::int64_t>(sizeof(T)) / (block_channels_ + p_.rows);
    return std::clamp<std::int64_t>(fits / (4 * kLanes) * (4 * kLanes), 4 * kLanes, kPositions);
  }

  /// Weights in the order the blocks read them: [group][channel block][row block][channel, tap][row].
  void pack() {
    detail::parallel_ranges(p_.groups * blocks_.count,
                            ceil_div(1 << 14, micro::kMaxRows * p_.channels * taps_),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const std::int64_t group = i / blocks_.count;
                                const std::int64_t block = i % blocks_.count;
                                const std::int64_t row = blocks_.begin(block);
                                const std::int64_t height = blocks_.begin(block + 1) - row;
                                const T* from = p_.w + group * p_.group_stride + row * p_.row_stride;
                                for (std::int64_t first = 0; first < p_.channels; first += block_channels_) {
                                  const std::int64_t last = std::min(first + block_channels_, p_.channels);
                                  T* to = packed(group, first, row, last - first);
                                  for (std::int64_t c = first; c < last; ++c)
                                    for (std::int64_t t = 0; t < taps_; ++t, to += height)
                                      for (std::int64_t r = 0; r < height; ++r)
                                        to[r] = from[r * p_.row_stride + c * p_.channel_stride + p_.tap[t]];
                                }
                              }
                            });
  }

  T* packed(std::int64_t group, std::int64_t channel, std::int64_t row, std::int64_t channels) {
    return packed_.data() + ((group * p_.channels + channel) * p_.rows + row * channels) * taps_;
  }

  std::int64_t target_plane() const { return product(p_.size); }

  /// Scratch memory of one thread.
  class Worker {
   public:
    explicit Worker(Runner& runner)
        : r_(runner),
          p_(runner.p_),
          cells_(static_cast<std::size_t>(runner.plan_.size(runner.block_channels_))),
          results_(runner.scratch_ ? static_cast<std::size_t>(p_.rows * runner.walk_lanes()) : 0) {}

    /// Row blocks [first, last) of one tile of one group.
    void work(const Tile& t, std::int64_t group, std::int64_t first, std::int64_t last) {
      const TilePlan& plan = r_.plan_;
      const std::int64_t row_begin = r_.blocks_.begin(first);
      T* plane = p_.target + (t.image * p_.groups + group) * p_.rows * r_.target_plane();
      const std::int64_t source_plane = product(p_.shape.source);
      bool fresh = true;
      for (std::int64_t c = 0; c < p_.channels; c += r_.block_channels_) {
        const std::int64_t channels = std::min(r_.block_channels_, p_.channels - c);
        if (fresh || channels != listed_channels_) list_lanes(t, channels);
        plan.fill(t, p_.source + (group * p_.channels + c) * source_plane,
                  p_.groups * p_.channels * source_plane, channels, cells_.data());
        T* to = r_.scratch_ ? results_.data() : plane;
        const std::int64_t ld = r_.scratch_ ? r_.walk_lanes() : r_.target_plane();
        const bool add = !fresh || (!r_.scratch_ && p_.beta != T(0));
        const bool with_bias = fresh && p_.bias != nullptr;
        const auto vectors = static_cast<std::int64_t>(lanes_.size());
        const std::int64_t together = channels > 96 ? 2 : micro::kMaxVectors;
        for (std::int64_t v = 0; v < vectors; v += together)
          for (std::int64_t block = first; block < last; ++block) {
            const std::int64_t row = r_.blocks_.begin(block);
            const auto height = static_cast<int>(r_.blocks_.begin(block + 1) - row);
            const std::int64_t end = std::min(v + together, vectors);
            const int at_once = std::min<int>(micro::vectors_for(height), static_cast<int>(together));
            for (std::int64_t j = v; j < end; j += at_once) {
              const int count = static_cast<int>(std::min<std::int64_t>(at_once, end - j));
              micro::output_block<T>(height, count)(
                  channels * r_.taps_, r_.packed(group, c, row, channels), r_.offsets_.data(), cells_.data(),
                  &lanes_[j], to + row * ld, ld, with_bias ? p_.bias + group * p_.rows + row : nullptr, add);
            }
          }
        fresh = false;
      }
      if (r_.scratch_) deliver(t, plane, row_begin, r_.blocks_.begin(last));
    }

   private:
    void list_lanes(const Tile& t, std::int64_t channels) {
      const TilePlan& plan = r_.plan_;
      listed_channels_ = channels;
      lanes_.clear();
      const auto run = [&](std::int64_t source, std::int64_t count, std::int64_t target) {
        for (std::int64_t w = 0; w < count; w += kLanes) {
          const std::int64_t real = r_.scratch_ ? kLanes : std::min<std::int64_t>(kLanes, count - w);
          const std::int64_t to =
              r_.scratch_ ? static_cast<std::int64_t>(lanes_.size()) * kLanes : target + w;
          lanes_.push_back({static_cast<std::int32_t>(source + w), static_cast<std::int32_t>(real), to});
        }
      };
      for (std::int64_t image = 0; image < t.images; ++image) {
        const std::int64_t base = image * channels * plan.channel_size();
        const std::int64_t image_target = image * p_.groups * p_.rows * r_.target_plane();
        if (plan.flat()) {
          run(base, plan.row_offset(t.count[0] - 1, t.count[1] - 1) + t.count[2], 0);
          continue;
        }
        for (std::int64_t d = 0; d < t.count[0]; ++d)
          for (std::int64_t h = 0; h < t.count[1]; ++h)
            run(base + plan.row_offset(d, h), t.count[2],
                image_target + ((t.begin[0] + d) * p_.size[1] + t.begin[1] + h) * p_.size[2] + t.begin[2]);
      }
    }

    /// Results of the scratch memory to their places.
    void deliver(const Tile& t, T* plane, std::int64_t row_begin, std::int64_t row_end) {
      const TilePlan& plan = r_.plan_;
      const std::int64_t ld = r_.walk_lanes();
      const std::int64_t flat_image =
          ceil_div(plan.row_offset(t.count[0] - 1, t.count[1] - 1) + t.count[2], kLanes) * kLanes;
      const std::int64_t row_lanes = ceil_div(t.count[2], kLanes) * kLanes;
      for (std::int64_t image = 0; image < t.images; ++image)
        for (std::int64_t row = row_begin; row < row_end; ++row)
          for (std::int64_t d = 0; d < t.count[0]; ++d)
            for (std::int64_t h = 0; h < t.count[1]; ++h) {
              const std::int64_t at = plan.flat() ? image * flat_image + plan.row_offset(d, h)
                                                  : ((image * t.count[0] + d) * t.count[1] + h) * row_lanes;
              const T* from = results_.data() + row * ld + at;
              const std::int64_t to_d = p_.start[0] + (t.begin[0] + d) * p_.step[0];
              const std::int64_t to_h = p_.start[1] + (t.begin[1] + h) * p_.step[1];
              T* to = plane + (image * p_.groups * p_.rows + row) * r_.target_plane() +
                      (to_d * p_.size[1] + to_h) * p_.size[2] + p_.start[2] + t.begin[2] * p_.step[2];
              const std::int64_t step = p_.step[2];
              if (p_.beta == T(0))
                for (std::int64_t w = 0; w < t.count[2]; ++w) to[w * step] = from[w];
              else
                for (std::int64_t w = 0; w < t.count[2]; ++w) to[w * step] += from[w];
            }
    }

    Runner& r_;
    const Pass<T>& p_;
    detail::Workspace<T> cells_;
    detail::Workspace<T> results_;
    std::vector<micro::Lanes> lanes_;
    std::int64_t listed_channels_ = 0;
  };

  /// Lanes of all results of a full tile.
  std::int64_t walk_lanes() const {
    const Sizes3& box = plan_.box();
    const std::int64_t image =
        plan_.flat() ? ceil_div(plan_.row_offset(box[0] - 1, box[1] - 1) + box[2], kLanes) * kLanes
                     : box[0] * box[1] * ceil_div(box[2], kLanes) * kLanes;
    return image * plan_.images();
  }

  const Pass<T>& p_;
  std::int64_t taps_;
  Blocks blocks_;
  std::int64_t block_channels_;
  TilePlan plan_;
  detail::Workspace<T> packed_;
  std::vector<std::int32_t> offsets_;
  bool scratch_;
};

/// The cells of gx that equal `start` modulo the stride, as a correlation with gy: cell q * stride + start
/// reads gy[q + (start + padding - k * dilation) / stride] for the taps k where that divides. The taps go to
/// `tap`.
Correlation input_grad_phase(const ConvGeometry& g, const Sizes3& start, std::vector<std::int64_t>& tap) {
  const Sizes3 in = as_volume(g.rank, g.in, 1), kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 stride = as_volume(g.rank, g.stride, 1), dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  Correlation c{as_volume(g.rank, g.out, 1), {}, {1, 1, 1}, {}};
  std::array<std::vector<std::int64_t>, 3> used;
  for (int a = 0; a < 3; ++a) {
    c.out[a] = ceil_div(std::max<std::int64_t>(in[a] - start[a], 0), stride[a]);
    for (std::int64_t k = 0; k < kernel[a]; ++k) {
      const std::int64_t shift = start[a] + padding[a] - k * dilation[a];
      if (shift % stride[a] != 0) continue;
      c.at[a].push_back(shift / stride[a]);
      used[a].push_back(k);
    }
  }
  for (const std::int64_t d : used[0])
    for (const std::int64_t h : used[1])
      for (const std::int64_t w : used[2]) tap.push_back((d * kernel[1] + h) * kernel[2] + w);
  return c;
}

/// Cells of a phase that no tap reaches.
template <class T>
void clear_phase(const Pass<T>& pass) {
  const std::int64_t planes = pass.images * pass.groups * pass.rows;
  detail::parallel_ranges(
      planes, ceil_div(1 << 14, product(pass.size)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t plane = begin; plane < end; ++plane)
          for (std::int64_t d = pass.start[0]; d < pass.size[0]; d += pass.step[0])
            for (std::int64_t h = pass.start[1]; h < pass.size[1]; h += pass.step[1])
              for (std::int64_t w = pass.start[2]; w < pass.size[2]; w += pass.step[2])
                pass.target[((plane * pass.size[0] + d) * pass.size[1] + h) * pass.size[2] + w] = T(0);
      });
}

}  // namespace

template <class T>
void conv_direct_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const Correlation shape = forward_correlation(g);
  const std::int64_t in_group = g.in_channels / g.groups;
  const std::int64_t out_group = g.out_channels / g.groups;
  if (g.batch * g.out_channels * product(shape.out) == 0) return;
  const std::int64_t taps = shape.taps();
  std::vector<std::int64_t> tap(static_cast<std::size_t>(taps));
  for (std::int64_t t = 0; t < taps; ++t) tap[t] = t;
  const Pass<T> pass{shape,
                     g.batch,
                     g.groups,
                     in_group,
                     out_group,
                     x,
                     w,
                     out_group * in_group * taps,
                     in_group * taps,
                     taps,
                     tap,
                     y,
                     shape.out,
                     {1, 1, 1},
                     {0, 0, 0},
                     bias,
                     T(0)};
  Runner<T>(pass).run();
}

template <class T>
void conv_direct_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  const std::int64_t in_group = g.in_channels / g.groups;
  const std::int64_t out_group = g.out_channels / g.groups;
  const Sizes3 in = as_volume(g.rank, g.in, 1), stride = as_volume(g.rank, g.stride, 1);
  const std::int64_t taps = product(as_volume(g.rank, g.kernel, 1));
  if (g.batch * g.in_channels * product(in) == 0) return;
  Sizes3 start;
  for (start[0] = 0; start[0] < std::min(stride[0], in[0]); ++start[0])
    for (start[1] = 0; start[1] < std::min(stride[1], in[1]); ++start[1])
      for (start[2] = 0; start[2] < std::min(stride[2], in[2]); ++start[2]) {
        std::vector<std::int64_t> tap;
        const Correlation shape = input_grad_phase(g, start, tap);
        const Pass<T> pass{
            shape, g.batch,         g.groups, out_group, in_group, gy,     w,     out_group * in_group * taps,
            taps,  in_group * taps, tap,      gx,        in,       stride, start, nullptr,
            beta};
        if (!tap.empty())
          Runner<T>(pass).run();
        else if (beta == T(0))
          clear_phase(pass);
      }
}

#define EVENKEEL_INSTANTIATE(T)                                                             \
  template void conv_direct_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void conv_direct_input_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
