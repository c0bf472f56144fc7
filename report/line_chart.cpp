#include <evenkeel/report/frame.h>

#include <cmath>
#include <stdexcept>

namespace evenkeel::report::detail {

namespace {

constexpr double kBelow = 44, kRight = 16;  // room for the labels below and at the right

Axis y_axis(const LineChart& chart, double height) {
  std::vector<const std::vector<double>*> values;
  for (const auto& series : chart.series) values.push_back(&series.y);
  auto [low, high] = range_of(values, chart.y_scale);
  if (chart.y_scale == Scale::log) {
    const double margin = std::pow(high / low, 0.04);
    low /= margin, high *= margin;
  } else {
    const double margin = 0.04 * (high - low);
    low -= margin, high += margin;
  }
  return {chart.y_min.value_or(low), chart.y_max.value_or(high), chart.y_scale,
          static_cast<int>(height / 45)};
}

}  // namespace

void draw(Canvas& canvas, const LineChart& chart, double width, double height) {
  std::vector<LegendEntry> legend;
  std::vector<const std::vector<double>*> xs;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const auto& series = chart.series[i];
    if (series.x.size() != series.y.size())
      throw std::invalid_argument("[svg] expected as many x as y in series \"" + series.name + "\", got " +
                                  std::to_string(series.x.size()) + " and " +
                                  std::to_string(series.y.size()));
    if (!series.name.empty()) legend.push_back({series.name, series_color(i), series.dashed});
    xs.push_back(&series.x);
  }
  const double top = draw_head(canvas, chart.title, legend, width);
  const double plot_height = height - top - kBelow;
  const Axis y = y_axis(chart, plot_height);
  const double left = label_width(y) + (chart.y_label.empty() ? 14 : 34);
  const Box box{left, top, width - left - kRight, plot_height};
  const auto [x_low, x_high] = range_of(xs, chart.x_scale);
  const Axis x(x_low, x_high, chart.x_scale, static_cast<int>(box.width / 60));
  draw_y_axis(canvas, box, y, chart.y_label);
  draw_x_axis(canvas, box, x, chart.x_label);

  constexpr double kMargin = 4;  // so that markers on the edge are whole
  canvas.begin_area({box.left - kMargin, box.top - kMargin}, box.width + 2 * kMargin,
                    box.height + 2 * kMargin);
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const auto& series = chart.series[i];
    std::vector<Point> run;
    const auto draw_run = [&] {
      if (run.size() > 1) canvas.polyline(run, series_color(i), series.dashed);
      if (series.markers || run.size() == 1)
        for (const auto& point : run) canvas.dot(point, 3, series_color(i));
      run.clear();
    };
    for (std::size_t k = 0; k < series.x.size(); ++k) {
      if (x.holds(series.x[k]) && y.holds(series.y[k]))
        run.push_back({kMargin + x.position(series.x[k]) * box.width,
                       kMargin + (1 - y.position(series.y[k])) * box.height});
      else
        draw_run();
    }
    draw_run();
  }
  canvas.end_area();
}

}  // namespace evenkeel::report::detail
