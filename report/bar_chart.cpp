#include <evenkeel/report/frame.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace evenkeel::report::detail {

void draw(Canvas& canvas, const BarChart& chart, double width, double height) {
  std::vector<LegendEntry> legend;
  std::vector<const std::vector<double>*> values;
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    if (chart.bars[i].values.size() != chart.categories.size())
      throw std::invalid_argument("[svg] expected a value for each of " +
                                  std::to_string(chart.categories.size()) + " categories in bars \"" +
                                  chart.bars[i].name + "\", got " +
                                  std::to_string(chart.bars[i].values.size()));
    if (!chart.bars[i].name.empty())
      legend.push_back({.name = chart.bars[i].name, .color = series_color(i), .swatch = true});
    values.push_back(&chart.bars[i].values);
  }
  const double top = draw_head(canvas, chart.title, legend, width);
  const auto [low, high] = range_of(values, chart.y_scale);
  const bool log = chart.y_scale == Scale::log;
  const double base = log ? 1 : 0;
  // Some air beyond the longest bar.
  const double bottom = std::min(base, log ? low / 1.1 : low * 1.05),
               summit = std::max(base, log ? high * 1.1 : high * 1.05);

  // Category names lie flat if they fit, else they slope.
  double widest = 0;
  for (const auto& name : chart.categories) widest = std::max(widest, text_width(name, 11));
  const double about = (width - 60) / std::max<double>(1, static_cast<double>(chart.categories.size()));
  const bool slope = widest > about - 6;
  const double below = slope ? 16 + 0.7 * widest : 26;
  const Axis y(bottom, summit, chart.y_scale, static_cast<int>((height - top - below) / 45));
  const double overhang = slope ? 0.77 * widest - about / 2 : 0;
  const double left = std::max(label_width(y) + (chart.y_label.empty() ? 14 : 34), overhang);
  const Box box{left, top, width - left - 16, height - top - below};
  draw_y_axis(canvas, box, y, chart.y_label);

  const double cell = box.width / std::max<double>(1, static_cast<double>(chart.categories.size()));
  const double bar = 0.76 * cell / std::max<double>(1, static_cast<double>(chart.bars.size()));
  const double start_line = box.bottom() - y.position(base) * box.height;
  for (std::size_t c = 0; c < chart.categories.size(); ++c) {
    const double start = box.left + (static_cast<double>(c) + 0.12) * cell;
    for (std::size_t i = 0; i < chart.bars.size(); ++i) {
      const double value = chart.bars[i].values[c];
      if (!y.holds(value)) continue;
      const double end = box.bottom() - y.position(value) * box.height;
      canvas.rect({start + static_cast<double>(i) * bar, std::min(start_line, end)}, bar * 0.94,
                  std::abs(end - start_line), series_color(i));
    }
    const double middle = box.left + (static_cast<double>(c) + 0.5) * cell;
    canvas.text({slope ? middle + 4 : middle, box.bottom() + 12}, chart.categories[c],
                {.size = 11, .anchor = slope ? "end" : "middle", .rotate = slope ? -40.0 : 0.0});
  }
  canvas.line({box.left, start_line}, {box.right(), start_line}, "#888888", 1);
}

}  // namespace evenkeel::report::detail
