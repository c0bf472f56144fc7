#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace evenkeel::report::detail {

struct Point {
  double x, y;
};

struct TextStyle {
  double size = 12;
  const char* anchor = "middle";  // start, middle or end
  const char* fill = "#333333";
  bool bold = false;
  double rotate = 0;  // degrees, about the text's anchor
};

/// SVG elements in the order of their drawing.
class Canvas {
 public:
  void rect(Point corner, double width, double height, std::string_view fill);
  void line(Point from, Point to, std::string_view stroke, double width, bool dashed = false);
  void polyline(const std::vector<Point>& points, std::string_view stroke, bool dashed);
  void dot(Point center, double radius, std::string_view fill);
  /// `at` is the middle of the line of text in height.
  void text(Point at, std::string_view text, const TextStyle& style = {});
  /// Everything until end_area() has `corner` as its origin and is cut to width × height.
  void begin_area(Point corner, double width, double height);
  void end_area();

  const std::string& elements() const { return elements_; }

 private:
  std::string elements_;
};

/// Estimate of the width of sans-serif text.
double text_width(const std::string& text, double size);

/// Colour `index` of the palette, repeated when it is used up.
const char* series_color(std::size_t index);

}  // namespace evenkeel::report::detail
