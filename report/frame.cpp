#include <evenkeel/report/frame.h>

#include <algorithm>

namespace evenkeel::report::detail {

namespace {
constexpr double kTickSize = 11;
constexpr const char* kGrid = "#e6e6e6";
constexpr const char* kAxis = "#888888";
}  // namespace

double draw_head(Canvas& canvas, const std::string& title, const std::vector<LegendEntry>& legend,
                 double width) {
  double y = 8;
  if (!title.empty()) {
    canvas.text({width / 2, y + 10}, title, {.size = 14, .bold = true});
    y += 26;
  }
  constexpr double kSize = 12, kKey = 22, kGap = 18;
  const auto entry_width = [&](const LegendEntry& entry) { return kKey + 6 + text_width(entry.name, kSize); };
  for (std::size_t first = 0; first < legend.size();) {
    std::size_t last = first;
    double row = entry_width(legend[first]);
    while (++last < legend.size() && row + kGap + entry_width(legend[last]) <= width - 20)
      row += kGap + entry_width(legend[last]);
    double x = (width - row) / 2;
    for (; first < last; ++first) {
      const auto& entry = legend[first];
      if (entry.swatch)
        canvas.rect({x + kKey - 12, y + 3}, 12, 12, entry.color);
      else
        canvas.line({x, y + 9}, {x + kKey, y + 9}, entry.color, 2.2, entry.dashed);
      canvas.text({x + kKey + 6, y + 9}, entry.name, {.size = kSize, .anchor = "start"});
      x += entry_width(entry) + kGap;
    }
    y += 18;
  }
  return y + 8;
}

double label_width(const Axis& axis) {
  double width = 0;
  for (const auto& tick : axis.ticks()) width = std::max(width, text_width(tick.label, kTickSize));
  return width;
}

void draw_y_axis(Canvas& canvas, const Box& box, const Axis& axis, const std::string& label) {
  for (const auto& tick : axis.ticks()) {
    const double y = box.bottom() - axis.position(tick.value) * box.height;
    canvas.line({box.left, y}, {box.right(), y}, kGrid, tick.label.empty() ? 0.5 : 1);
    canvas.text({box.left - 6, y}, tick.label, {.size = kTickSize, .anchor = "end"});
  }
  canvas.line({box.left, box.top}, {box.left, box.bottom()}, kAxis, 1);
  if (!label.empty())
    canvas.text({box.left - label_width(axis) - 18, box.top + box.height / 2}, label, {.rotate = -90});
}

void draw_x_axis(Canvas& canvas, const Box& box, const Axis& axis, const std::string& label) {
  for (const auto& tick : axis.ticks()) {
    const double x = box.left + axis.position(tick.value) * box.width;
    canvas.line({x, box.top}, {x, box.bottom()}, kGrid, tick.label.empty() ? 0.5 : 1);
    canvas.text({x, box.bottom() + 12}, tick.label, {.size = kTickSize});
  }
  canvas.line({box.left, box.bottom()}, {box.right(), box.bottom()}, kAxis, 1);
  if (!label.empty()) canvas.text({box.left + box.width / 2, box.bottom() + 31}, label);
}

}  // namespace evenkeel::report::detail
