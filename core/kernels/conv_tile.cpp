#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

/// Steps up to which rows are taken apart by vectors; f64, for gradient checks, needs the small ones alone.
template <class T>
constexpr int kMaxSplit = sizeof(T) == sizeof(float) ? 8 : 4;
// Of copying a row and a vector of it, in products of a vector.
constexpr std::int64_t kRowCost = 20, kVectorCost = 8;
constexpr std::int64_t kLeastShare = 8;  ///< input channels of a share

/// The size from `least` to `most` of the pieces that cut `length` at the least cost of all.
template <class Cost>
std::int64_t cheapest_box(std::int64_t length, std::int64_t least, std::int64_t most, Cost&& cost) {
  const auto total = [&](std::int64_t box) { return length / box * cost(box) + cost(length % box); };
  std::int64_t best = least;
  for (std::int64_t box = least + 1; box <= most; ++box)
    if (total(box) < total(best)) best = box;
  return best;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }

}  // namespace

std::int64_t Correlation::pairs_read(int axis) const {
  const std::int64_t more = span[axis] - 1;
  std::int64_t pairs = 0;
  for (const std::int64_t first : at[axis]) {
    const IndexRange read = inside(out[axis], step[axis], first + more, source[axis] + more);
    pairs += read.end - read.begin;
  }
  return pairs;
}

double Correlation::rows_read() const {
  const auto pairs = static_cast<std::int64_t>(at[0].size() * at[1].size()) * out[0] * out[1];
  return static_cast<double>(pairs_read(0) * pairs_read(1)) / static_cast<double>(pairs);
}

Correlation forward_correlation(const ConvGeometry& g) {
  Correlation c{as_volume(g.rank, g.in, 1), as_volume(g.rank, g.out, 1), as_volume(g.rank, g.stride, 1), {}};
  const Sizes3 kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  for (int axis = 0; axis < 3; ++axis)
    for (std::int64_t k = 0; k < kernel[axis]; ++k) c.at[axis].push_back(k * dilation[axis] - padding[axis]);
  return c;
}

Correlation input_grad_correlation(const ConvGeometry& g, std::vector<Phase>& phases) {
  const Sizes3 in = as_volume(g.rank, g.in, 1), kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 stride = as_volume(g.rank, g.stride, 1), dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  Correlation c{as_volume(g.rank, g.out, 1), {}, {1, 1, 1}, {}};
  std::array<std::vector<std::int64_t>, 3> starts;  // of each tap
  for (int a = 0; a < 3; ++a) {
    c.out[a] = ceil_div(in[a], stride[a]);
    for (std::int64_t k = 0; k < kernel[a]; ++k) {
      const std::int64_t at = k * dilation[a] - padding[a];
      const std::int64_t start = (at % stride[a] + stride[a]) % stride[a];
      starts[a].push_back(start);
      c.at[a].push_back((start - at) / stride[a]);
    }
  }
  for (std::int64_t d = 0; d < std::min(stride[0], in[0]); ++d)
    for (std::int64_t h = 0; h < std::min(stride[1], in[1]); ++h)
      for (std::int64_t w = 0; w < std::min(stride[2], in[2]); ++w) {
        Phase phase{{d, h, w}, {}};
        for (std::int64_t tap = 0; tap < product(kernel); ++tap)
          if (starts[0][tap / (kernel[1] * kernel[2])] == d && starts[1][tap / kernel[2] % kernel[1]] == h &&
              starts[2][tap % kernel[2]] == w)
            phase.tap.push_back(tap);
        phases.push_back(phase);
      }
  return c;
}

std::int64_t least_tiles(std::int64_t weights, std::int64_t cells) {
  constexpr std::int64_t kPieces = 8;
  constexpr std::int64_t kCopyCost = 16;  ///< of a cell, beside reading a weight
  std::int64_t best = 1;
  for (std::int64_t tiles = 2; tiles <= kPieces; tiles *= 2)
    if ((tiles - best) * weights < (kPieces / best - kPieces / tiles) * kCopyCost * cells) best = tiles;
  return best;
}

std::int64_t row_cuts(std::int64_t pieces, std::int64_t blocks, std::int64_t a_thread) {
  if (num_threads() == 1) return 1;
  return std::clamp<std::int64_t>(ceil_div(a_thread * num_threads(), pieces), 1, blocks);
}

std::int64_t CutQueue::take(std::int64_t first, std::int64_t& piece) {
  if (piece < 0) piece = next_piece(first);
  for (; piece >= 0; piece = next_piece(first)) {
    const std::int64_t cut = taken_[static_cast<std::size_t>(piece)].fetch_add(1, std::memory_order_relaxed);
    if (cut < cuts_) return cut;
  }
  return -1;
}

std::int64_t CutQueue::next_piece(std::int64_t first) const {
  const auto pieces = static_cast<std::int64_t>(taken_.size());
  std::int64_t best = -1, least = cuts_;
  for (std::int64_t i = 0; i < pieces && least > 0; ++i) {
    const std::int64_t piece = (first + i) % pieces;
    const std::int64_t taken = taken_[static_cast<std::size_t>(piece)].load(std::memory_order_relaxed);
    if (taken >= least) continue;
    best = piece;
    least = taken;
  }
  return best;
}

std::int64_t sets_of_sums(std::int64_t pieces, std::int64_t positions, std::int64_t worth_a_set) {
  constexpr std::int64_t kMostPieces = 16, kFewPieces = 4, kCheaper = 4;
  const std::int64_t few = std::min(kFewPieces / pieces, kCheaper * positions / worth_a_set);
  return std::clamp<std::int64_t>(std::max(few, positions / worth_a_set), 1,
                                  std::max<std::int64_t>(kMostPieces / pieces, 1));
}

std::int64_t shared_chunk(std::int64_t chunk, std::int64_t pieces, std::int64_t channels,
                          std::int64_t lanes) {
  constexpr std::int64_t kLeastVectors = 2;
  const std::int64_t vectors = ceil_div(chunk, lanes);
  const std::int64_t share = std::max(ceil_div(vectors, ceil_div(num_threads(), pieces)), kLeastVectors);
  const bool even = vectors % share == 0;
  return even || channels < 2 * kLeastShare ? std::min(share, vectors) * lanes : vectors * lanes;
}

std::int64_t channel_shares(std::int64_t pieces, std::int64_t channels) {
  constexpr double kBusy = 0.9;
  const std::int64_t most = std::min<std::int64_t>(channels / kLeastShare, num_threads());
  const auto busy = [&](std::int64_t shares) {
    const std::int64_t rounds = ceil_div(pieces * shares, num_threads());
    return static_cast<double>(pieces * shares) / static_cast<double>(rounds * num_threads());
  };
  std::int64_t best = 1;
  for (std::int64_t shares = 2; shares <= most && busy(best) < kBusy; ++shares)
    if (busy(shares) > busy(best)) best = shares;
  return best;
}

TilePlan::Axis TilePlan::shared_axis(const Correlation& c, int axis) {
  Axis plan;
  const auto& at = c.at[axis];
  const std::int64_t step = c.step[axis];
  std::int64_t low = floor_div(at[0], step);
  std::int64_t high = low;
  for (const std::int64_t a : at) {
    low = std::min(low, floor_div(a, step));
    high = std::max(high, floor_div(a, step));
  }
  plan.reach = high - low;
  plan.skip = step;
  for (const std::int64_t a : at) {
    const std::int64_t base = a - floor_div(a, step) * step + low * step;
    const auto known = std::find(plan.base.begin(), plan.base.end(), base);
    plan.slot.push_back(known - plan.base.begin());
    plan.offset.push_back(floor_div(a, step) - low);
    if (known == plan.base.end()) plan.base.push_back(base);
  }
  return plan;
}

TilePlan::Axis TilePlan::column_axis(const Correlation& c, int axis) {
  Axis plan;
  plan.base = c.at[axis];
  plan.skip = c.step[axis];
  plan.offset.assign(plan.base.size(), 0);
  for (std::size_t tap = 0; tap < plan.base.size(); ++tap)
    plan.slot.push_back(static_cast<std::int64_t>(tap));
  return plan;
}

TilePlan::Axis TilePlan::kept_axis(const Correlation& c, int axis) {
  Axis plan;
  const std::int64_t first = c.at[axis].front();  // taps of a convolution with strides are in order
  plan.base = {first};
  plan.reach = c.at[axis].back() - first;
  plan.step = c.step[axis];
  for (const std::int64_t at : c.at[axis]) {
    plan.slot.push_back(0);
    plan.offset.push_back(at - first);
  }
  return plan;
}

TilePlan::TilePlan(const Correlation& c, std::int64_t images, std::int64_t positions, std::int64_t min_tiles,
                   std::int64_t uses, Strides strides, std::int64_t lanes)
    : source_(c.source), out_(c.out), step_(c.step), all_images_(images), lanes_(lanes), slack_(4 * lanes) {
  choose_boxes(positions, min_tiles, lanes);
  choose_axes(c, uses, strides, lanes);
  place_taps(lanes);
}

/// Grows the box from the innermost axis out, then over images.
void TilePlan::choose_boxes(std::int64_t positions, std::int64_t min_tiles, std::int64_t lanes) {
  std::int64_t room = std::max<std::int64_t>(positions, 1), inner = 1;
  // Of a tile, in blocks of two vectors.
  const auto cost = [&](std::int64_t rows) { return ceil_div(rows * inner, 2 * lanes); };
  for (int axis = 2; axis >= 0; --axis) {
    const std::int64_t length = std::max<std::int64_t>(out_[axis], 1);
    const std::int64_t pieces = ceil_div(length, room);
    box_[axis] = ceil_div(length, pieces);
    if (axis == 2 && pieces > 1)
      box_[axis] = std::min(ceil_div(box_[axis], 2 * lanes) * 2 * lanes, length);
    else if (axis < 2 && pieces > 1)
      box_[axis] = cheapest_box(length, box_[axis], room, cost);
    boxes_[axis] = ceil_div(out_[axis], box_[axis]);
    inner *= box_[axis];
    room = std::max<std::int64_t>(room / box_[axis], 1);
  }
  const std::int64_t spare = all_images_ * product(boxes_) / min_tiles;
  images_ = std::clamp<std::int64_t>(std::min(room, spare), 1, std::max<std::int64_t>(all_images_, 1));
  image_groups_ = ceil_div(all_images_, images_);
}

/// Cells by which a whole row (plane, volume) may reach into the next: zeros at its end where the next begins
/// with zeros.
std::int64_t TilePlan::shared_zeros(int axis) const {
  const Axis& a = axes_[axis];
  if (boxes_[axis] != 1 || step_[axis] != 1 || a.base.size() != 1) return 0;
  const std::int64_t before = -a.base[0];
  const std::int64_t behind = a.base[0] + out_[axis] + a.reach - source_[axis];
  return std::clamp<std::int64_t>(std::min(before, behind), 0, a.reach);
}

void TilePlan::choose_axes(const Correlation& c, std::int64_t uses, Strides strides, std::int64_t lanes) {
  constexpr std::int64_t kManyUses = 16;
  for (int axis = 0; axis < 3; ++axis) {
    Axis shared = shared_axis(c, axis);
    Axis columns = column_axis(c, axis);
    const auto cells = [&](const Axis& a) {
      return static_cast<std::int64_t>(a.base.size()) * a.stored(box_[axis]);
    };
    const bool turns = axis == 2 && c.turns > 1;
    axes_[axis] = turns || cells(columns) < cells(shared) ? columns : shared;
    const bool may_keep = strides == Strides::kept || (strides == Strides::last_apart && axis < 2);
    if (may_keep && step_[axis] > 1 && !c.at[axis].empty()) {
      const Axis kept = kept_axis(c, axis);
      if (cells(kept) <= cells(axes_[axis])) axes_[axis] = kept;
    }
    overlap_[axis] = shared_zeros(axis);
    extent_[axis] = axes_[axis].stored(box_[axis]) - overlap_[axis];
  }
  const std::int64_t outputs = product(box_) * images_;
  const std::int64_t lines = outputs / box_[2];
  // Blocks of many rows take two vectors at a time, from anywhere in a tile.
  const std::int64_t unit = uses >= kManyUses ? 2 * lanes : lanes;
  const auto whole = [](std::int64_t cells, std::int64_t multiple) {
    return ceil_div(cells, multiple) * multiple;
  };
  const std::int64_t rows = lines * whole(box_[2], lanes);
  std::int64_t walked = whole(walk(full()), unit);
  const std::int64_t saved = (std::min(rows, walked) - whole(outputs, unit)) * uses;
  const std::int64_t copied = lines * (kRowCost + kVectorCost * ceil_div(box_[2], lanes)) * lanes;
  if (saved > copied) {
    for (int axis = 0; axis < 3; ++axis) {
      axes_[axis] = column_axis(c, axis);
      overlap_[axis] = 0;
      extent_[axis] = box_[axis];
    }
    walked = whole(outputs, unit);
  }
  flat_ = 1.05 * static_cast<double>(walked) < static_cast<double>(rows);
}

/// Slots one after another, taps in their slots; an odd number of cache lines a channel, so that channels do
/// not fall on the same sets of the cache.
void TilePlan::place_taps(std::int64_t lanes) {
  slot_size_ =
      images_ * product(extent_) + (overlap_[0] * extent_[1] + overlap_[1]) * extent_[2] + overlap_[2];
  if (axes_[2].base.size() > 1) slot_size_ += lanes;  // they are not filled in the order of their places
  const auto slots = [&](int axis) { return static_cast<std::int64_t>(axes_[axis].base.size()); };
  for (std::size_t d = 0; d < axes_[0].slot.size(); ++d)
    for (std::size_t h = 0; h < axes_[1].slot.size(); ++h)
      for (std::size_t w = 0; w < axes_[2].slot.size(); ++w) {
        const std::int64_t slot =
            (axes_[0].slot[d] * slots(1) + axes_[1].slot[h]) * slots(2) + axes_[2].slot[w];
        const std::int64_t within =
            stored_row(0, axes_[0].offset[d], axes_[1].offset[h]) + axes_[2].offset[w];
        tap_offsets_.push_back(static_cast<std::int32_t>(slot * slot_size_ + within));
      }
  channel_size_ = (ceil_div(slots(0) * slots(1) * slots(2) * slot_size_, lanes) | 1) * lanes;
}

std::int64_t TilePlan::fill_cost(std::int64_t channels) const {
  std::int64_t rows = images_ * channels;
  for (int axis = 0; axis < 2; ++axis)
    rows *= static_cast<std::int64_t>(axes_[axis].base.size()) * axes_[axis].stored(box_[axis]);
  const std::int64_t vectors =
      static_cast<std::int64_t>(axes_[2].base.size()) * ceil_div(axes_[2].stored(box_[2]), lanes_);
  return rows * (kRowCost + kVectorCost * vectors) * lanes_;
}

Tile TilePlan::tile(std::int64_t index) const {
  Tile t;
  for (int axis = 2; axis >= 0; --axis) {
    t.begin[axis] = index % boxes_[axis] * box_[axis];
    t.count[axis] = std::min(box_[axis], out_[axis] - t.begin[axis]);
    index /= boxes_[axis];
  }
  t.image = index * images_;
  t.images = std::min(images_, all_images_ - t.image);
  return t;
}

template <int kStep, class T>
void TilePlan::fill_split(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels,
                          T* to) const {
  const std::vector<std::int64_t>& bases = axes_[2].base;
  for (std::size_t first = 0, end; first < bases.size(); first = end) {
    const std::int64_t start = floor_div(bases[first], kStep) * kStep;
    RowSplit<T, kStep> row(source_[2], t.begin[2] * kStep + start, axes_[2].stored(t.count[2]));
    for (end = first; end < bases.size() && floor_div(bases[end], kStep) * kStep == start; ++end)
      row.want(bases[end] - start, static_cast<std::int64_t>(end - first) * slot_size_);
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      T* slot = to + channel * channel_size_ + static_cast<std::int64_t>(first) * slot_size_;
      for (const std::int64_t base_d : axes_[0].base)
        for (const std::int64_t base_h : axes_[1].base) {
          fill_slot(t, source + channel * product(source_), image_stride, base_d, base_h, row, slot);
          slot += static_cast<std::int64_t>(bases.size()) * slot_size_;
        }
    }
  }
}

template <class T>
void TilePlan::fill(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels,
                    T* to) const {
  const auto split = [&]<int... kLess>(std::integer_sequence<int, kLess...>) {
    return ((axes_[2].skip == kLess + 2 &&
             (fill_split<kLess + 2>(t, source, image_stride, channels, to), true)) ||
            ...);
  };
  if (split(std::make_integer_sequence<int, kMaxSplit<T> - 1>{})) return;
  fill_rows(t, source, image_stride, channels, to,
            [&](std::int64_t begin, std::int64_t at, std::int64_t count) {
              return RowCopy<T>(source_[2], begin * step_[2] + at, axes_[2].skip, count);
            });
}

template void TilePlan::fill(const Tile&, const float*, std::int64_t, std::int64_t, float*) const;
template void TilePlan::fill(const Tile&, const double*, std::int64_t, std::int64_t, double*) const;

}  // namespace evenkeel::kernels
