#include <evenkeel/core/kernels/conv_tile.h>

#include <algorithm>

namespace evenkeel::kernels {

namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }

template <class T>
void copy_strided(const T* from, std::int64_t step, std::int64_t count, T* to) {
  if (step == 1)
    std::copy_n(from, count, to);
  else if (step == 2)
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[2 * i];
  else
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[step * i];
}

}  // namespace

Correlation forward_correlation(const ConvGeometry& g) {
  Correlation c{as_volume(g.rank, g.in, 1), as_volume(g.rank, g.out, 1), as_volume(g.rank, g.stride, 1), {}};
  const Sizes3 kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  for (int axis = 0; axis < 3; ++axis)
    for (std::int64_t k = 0; k < kernel[axis]; ++k) c.at[axis].push_back(k * dilation[axis] - padding[axis]);
  return c;
}

TilePlan::Axis TilePlan::shared_axis(const Correlation& c, int axis) {
  Axis plan;
  const auto& at = c.at[axis];
  const std::int64_t step = c.step[axis];
  if (at.empty()) return plan;
  std::int64_t low = floor_div(at[0], step);
  std::int64_t high = low;
  for (const std::int64_t a : at) {
    low = std::min(low, floor_div(a, step));
    high = std::max(high, floor_div(a, step));
  }
  plan.reach = high - low;
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
  plan.offset.assign(plan.base.size(), 0);
  for (std::size_t tap = 0; tap < plan.base.size(); ++tap)
    plan.slot.push_back(static_cast<std::int64_t>(tap));
  return plan;
}

TilePlan::TilePlan(const Correlation& c, std::int64_t images, std::int64_t positions, std::int64_t min_tiles,
                   Layout layout, int lanes)
    : source_(c.source), out_(c.out), step_(c.step), all_images_(images), slack_(8 * lanes) {
  // Grow the box from the innermost axis out, then over images, to about `positions` outputs.
  std::int64_t room = std::max<std::int64_t>(positions, 1);
  for (int axis = 2; axis >= 0; --axis) {
    const std::int64_t pieces = ceil_div(std::max<std::int64_t>(out_[axis], 1), room);
    box_[axis] = ceil_div(std::max<std::int64_t>(out_[axis], 1), pieces);
    if (axis == 2 && pieces > 1)
      box_[axis] = std::min(ceil_div(box_[axis], 2 * lanes) * 2 * lanes, out_[axis]);
    boxes_[axis] = ceil_div(out_[axis], box_[axis]);
    room = std::max<std::int64_t>(room / box_[axis], 1);
  }
  const std::int64_t spare = std::max<std::int64_t>(images * product(boxes_) / min_tiles, 1);
  images_ = std::clamp<std::int64_t>(std::min(room, spare), 1, std::max<std::int64_t>(images, 1));
  image_groups_ = ceil_div(images, images_);

  const auto waste_of_rows = [&](std::int64_t count) {
    const std::int64_t padded = ceil_div(count, lanes) * lanes;
    return static_cast<double>(padded) / static_cast<double>(std::max<std::int64_t>(count, 1));
  };
  const double rows = waste_of_rows(box_[2]);
  for (int axis = 0; axis < 3; ++axis) {
    const Axis shared = shared_axis(c, axis);
    const Axis columns = column_axis(c, axis);
    const auto cells = [&](const Axis& a) {
      return static_cast<std::int64_t>(a.base.size()) * (box_[axis] + a.reach);
    };
    axes_[axis] = layout == Layout::columns || cells(columns) < cells(shared) ? columns : shared;
    extent_[axis] = box_[axis] + axes_[axis].reach;
  }
  double walk = static_cast<double>(row_offset(box_[0] - 1, box_[1] - 1) + box_[2]) /
                static_cast<double>(product(box_));
  walk *= waste_of_rows(row_offset(box_[0] - 1, box_[1] - 1) + box_[2]);
  if (rows > 1.5 && walk > 1.5) {  // small planes: no gaps at all
    for (int axis = 0; axis < 3; ++axis) {
      axes_[axis] = column_axis(c, axis);
      extent_[axis] = box_[axis];
    }
    walk = waste_of_rows(product(box_));
  }
  flat_ = walk * 1.05 < rows;

  std::int64_t slot_size = product(extent_);
  const std::int64_t line = std::max<std::int64_t>(lanes, 1);
  if (layout == Layout::columns) slot_size = (ceil_div(slot_size, line) | 1) * line;
  const auto slots = [&](int axis) { return static_cast<std::int64_t>(axes_[axis].base.size()); };
  for (std::size_t d = 0; d < c.at[0].size(); ++d)
    for (std::size_t h = 0; h < c.at[1].size(); ++h)
      for (std::size_t w = 0; w < c.at[2].size(); ++w) {
        const std::int64_t slot =
            (axes_[0].slot[d] * slots(1) + axes_[1].slot[h]) * slots(2) + axes_[2].slot[w];
        const std::int64_t within = row_offset(axes_[0].offset[d], axes_[1].offset[h]) + axes_[2].offset[w];
        tap_offsets_.push_back(static_cast<std::int32_t>(slot * slot_size + within));
      }
  channel_size_ = slots(0) * slots(1) * slots(2) * slot_size;
  // An odd number of cache lines, so that channels do not fall on the same sets of the cache.
  if (layout == Layout::shared) channel_size_ = (ceil_div(channel_size_, line) | 1) * line;
  slot_size_ = slot_size;
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

template <class T>
void TilePlan::fill(const Tile& t, const T* source, std::int64_t image_stride, std::int64_t channels,
                    T* to) const {
  const std::int64_t plane = product(source_);
  const std::int64_t columns = t.count[2] + axes_[2].reach;
  for (std::int64_t image = 0; image < t.images; ++image)
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      const T* from = source + (t.image + image) * image_stride + channel * plane;
      T* slot = to + (image * channels + channel) * channel_size_;
      for (const std::int64_t base_d : axes_[0].base)
        for (const std::int64_t base_h : axes_[1].base)
          for (const std::int64_t base_w : axes_[2].base) {
            const std::int64_t first = t.begin[2] * step_[2] + base_w;
            const IndexRange hit = inside(columns, step_[2], first, source_[2]);
            for (std::int64_t d = 0; d < t.count[0] + axes_[0].reach; ++d)
              for (std::int64_t h = 0; h < t.count[1] + axes_[1].reach; ++h) {
                const std::int64_t at_d = (t.begin[0] + d) * step_[0] + base_d;
                const std::int64_t at_h = (t.begin[1] + h) * step_[1] + base_h;
                T* row = slot + row_offset(d, h);
                if (at_d < 0 || at_d >= source_[0] || at_h < 0 || at_h >= source_[1]) {
                  std::fill_n(row, columns, T(0));
                  continue;
                }
                std::fill(row, row + hit.begin, T(0));
                copy_strided(from + (at_d * source_[1] + at_h) * source_[2] + first + hit.begin * step_[2],
                             step_[2], hit.end - hit.begin, row + hit.begin);
                std::fill(row + hit.end, row + columns, T(0));
              }
            slot += slot_size_;
          }
    }
}

template void TilePlan::fill(const Tile&, const float*, std::int64_t, std::int64_t, float*) const;
template void TilePlan::fill(const Tile&, const double*, std::int64_t, std::int64_t, double*) const;

}  // namespace evenkeel::kernels
