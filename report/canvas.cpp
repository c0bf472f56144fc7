#include <evenkeel/report/canvas.h>
#include <evenkeel/report/text.h>

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace evenkeel::report::detail {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

const char* dashes(bool dashed) { return dashed ? R"( stroke-dasharray="6 4")" : ""; }

}  // namespace

void Canvas::rect(Point corner, double width, double height, std::string_view fill) {
  fmt::format_to(std::back_inserter(elements_),
                 "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                 corner.x, corner.y, width, height, fill);
}

void Canvas::line(Point from, Point to, std::string_view stroke, double width, bool dashed) {
  fmt::format_to(std::back_inserter(elements_),
                 "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
                 "stroke-width=\"{:g}\"{}/>\n",
                 from.x, from.y, to.x, to.y, stroke, width, dashes(dashed));
}

void Canvas::polyline(const std::vector<Point>& points, std::string_view stroke, bool dashed) {
  elements_ += "<polyline points=\"";
  for (const auto& [x, y] : points) fmt::format_to(std::back_inserter(elements_), "{:.1f},{:.1f} ", x, y);
  fmt::format_to(std::back_inserter(elements_),
                 "\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"{}/>\n",
                 stroke, dashes(dashed));
}

void Canvas::dot(Point center, double radius, std::string_view fill) {
  fmt::format_to(std::back_inserter(elements_),
                 "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\" fill=\"{}\"/>\n", center.x, center.y, radius,
                 fill);
}

void Canvas::text(Point at, std::string_view text, const TextStyle& style) {
  const double baseline = at.y + 0.35 * style.size;
  std::string rotation;
  if (style.rotate != 0)
    rotation = fmt::format(" transform=\"rotate({:g} {:.1f} {:.1f})\"", style.rotate, at.x, at.y);
  fmt::format_to(
      std::back_inserter(elements_),
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:g}\" text-anchor=\"{}\" fill=\"{}\"{}{}>{}</text>\n",
      at.x, baseline, style.size, style.anchor, style.fill, style.bold ? " font-weight=\"bold\"" : "",
      rotation, escaped(text));
}

void Canvas::begin_area(Point corner, double width, double height) {
  fmt::format_to(std::back_inserter(elements_),
                 "<svg x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">\n", corner.x, corner.y,
                 width, height);
}

void Canvas::end_area() { elements_ += "</svg>\n"; }

double text_width(const std::string& text, double size) {
  return 0.6 * size * static_cast<double>(text_columns(text));
}

const char* series_color(std::size_t index) {
  static constexpr std::array kColors = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                         "#e69f00", "#56b4e9", "#000000", "#8c6d31"};
  return kColors[index % kColors.size()];
}

}  // namespace evenkeel::report::detail
