#pragma once

#include <evenkeel/report/axis.h>
#include <evenkeel/report/canvas.h>

#include <string>
#include <vector>

namespace evenkeel::report::detail {

struct LegendEntry {
  std::string name;
  const char* color;
  bool dashed = false;
  bool swatch = false;  // a filled square rather than a line
};

struct Box {
  double left, top, width, height;
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

/// Title and legend, wrapped to `width`, at the top; returns the y below them.
double draw_head(Canvas& canvas, const std::string& title, const std::vector<LegendEntry>& legend,
                 double width);

/// Space that the labels of a vertical axis take.
double label_width(const Axis& axis);

/// Ticks, grid lines and label on the left of `box`.
void draw_y_axis(Canvas& canvas, const Box& box, const Axis& axis, const std::string& label);
/// The same below `box`.
void draw_x_axis(Canvas& canvas, const Box& box, const Axis& axis, const std::string& label);

void draw(Canvas& canvas, const LineChart& chart, double width, double height);
void draw(Canvas& canvas, const BarChart& chart, double width, double height);
void draw(Canvas& canvas, const HeatMap& map, double width, double height);

}  // namespace evenkeel::report::detail
