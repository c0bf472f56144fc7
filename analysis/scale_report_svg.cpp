#include <evenkeel/analysis/page.h>
#include <evenkeel/analysis/scale_report.h>
#include <evenkeel/report/frame.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::analysis {

namespace {

using report::detail::Box;
using report::detail::Canvas;

constexpr double kRowHeight = 18, kBelow = 48, kTop = 84, kRight = 24, kPlotWidth = 520;
constexpr const char* kForward = "#0072b2";
constexpr const char* kBackward = "#d55e00";

/// log2 of the deviations, widened to whole powers and to hold 2^-4 … 2^4.
report::detail::Axis axis_of(const std::vector<ScaleRow>& rows) {
  double low = -4, high = 4;
  const auto widen = [&](const ScaleStats& stats) {
    if (!(stats.deviation > 0) || !std::isfinite(stats.deviation)) return;
    low = std::min(low, std::floor(std::log2(stats.deviation)));
    high = std::max(high, std::ceil(std::log2(stats.deviation)));
  };
  for (const auto& row : rows) {
    widen(row.forward);
    if (row.backward) widen(*row.backward);
  }
  return {low, high, report::Scale::linear, 6};
}

std::string label(const ScaleRow& row) {
  if (row.layer.empty()) return row.name;
  return row.is_parameter ? row.layer + "." + row.name : row.layer + "  " + row.name;
}

}  // namespace

std::string ScaleReport::svg() const {
  double label_width = 0;
  for (const auto& row : rows)
    label_width = std::max(label_width, report::detail::text_width(label(row), 11));
  const Box box{label_width + 20, kTop, kPlotWidth, kRowHeight * static_cast<double>(rows.size())};
  const double width = box.right() + kRight, height = box.bottom() + kBelow;
  const auto axis = axis_of(rows);
  const auto x_of = [&](double log2) { return box.left + axis.position(log2) * box.width; };

  Canvas canvas;
  report::detail::draw_head(canvas, "Scale of every op and parameter",
                            {{"forward: values", kForward}, {"backward: gradients", kBackward}}, width);
  const auto draw_range = [&](double low, double high, double y, const char* fill, const char* name) {
    const double left = std::clamp(x_of(low), box.left, box.right());
    const double right = std::clamp(x_of(high), box.left, box.right());
    canvas.rect({left, y}, right - left, 12, fill);
    canvas.text({(left + right) / 2, y + 6}, name, {.size = 9});
  };
  draw_range(std::log2(0x1p-16), std::log2(57344), kTop - 28, "#dbe9f4", "E5M2");
  draw_range(std::log2(0x1p-9), std::log2(448), kTop - 14, "#bcd6ea", "E4M3");
  report::detail::draw_x_axis(canvas, box, axis, "log2 of the standard deviation");
  canvas.line({x_of(0), box.top}, {x_of(0), box.bottom()}, "#888888", 1, true);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = box.top + kRowHeight * (static_cast<double>(i) + 0.5);
    canvas.text({box.left - 8, y}, label(rows[i]), {.size = 11, .anchor = "end"});
    const auto dot = [&](const ScaleStats& stats, double radius, const char* color) {
      if (stats.deviation > 0 && std::isfinite(stats.deviation))
        canvas.dot({x_of(std::log2(stats.deviation)), y}, radius, color);
    };
    if (rows[i].backward) dot(*rows[i].backward, 5, kBackward);
    dot(rows[i].forward, 3.5, kForward);
  }
  return detail::svg_page(canvas, width, height);
}

}  // namespace evenkeel::analysis
