#include <evenkeel/report/frame.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace evenkeel::report::detail {

namespace {

/// From white to dark blue.
std::string shade(double amount) {
  const auto mix = [&](double light, double dark) {
    return static_cast<int>(std::lround(light + (dark - light) * amount));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(250, 8), mix(252, 64), mix(255, 129));
}

double widest(const std::vector<std::string>& names, double size) {
  double width = 0;
  for (const auto& name : names) width = std::max(width, text_width(name, size));
  return width;
}

}  // namespace

void draw(Canvas& canvas, const HeatMap& map, double width, double height) {
  const std::size_t rows = map.rows.size(), columns = map.columns.size();
  if (map.values.size() != rows * columns)
    throw std::invalid_argument(fmt::format("[svg] expected {} × {} values in the heat map, got {}", rows,
                                            columns, map.values.size()));
  constexpr double kSize = 11;
  const double top = draw_head(canvas, map.title, {}, width);
  const double left = widest(map.rows, kSize) + (map.y_label.empty() ? 16 : 40);
  const double available = width - left - 16;
  const double cell_width = available / std::max<double>(1, static_cast<double>(columns));
  const bool slope = widest(map.columns, kSize) > cell_width - 4;
  const double labels = slope ? 12 + 0.7 * widest(map.columns, kSize) : 20;
  const double below = labels + (map.x_label.empty() ? 6 : 24);
  const Box box{left, top, available, height - top - below};
  const double cell_height = box.height / std::max<double>(1, static_cast<double>(rows));

  double largest = 0;
  for (const double value : map.values)
    if (std::isfinite(value)) largest = std::max(largest, value);
  for (std::size_t r = 0; r < rows; ++r) {
    const double y = box.top + static_cast<double>(r) * cell_height;
    for (std::size_t c = 0; c < columns; ++c) {
      const double value = map.values[r * columns + c], x = box.left + static_cast<double>(c) * cell_width;
      const double amount = largest > 0 && value > 0 ? std::pow(value / largest, map.gamma) : 0;
      canvas.rect({x, y}, cell_width - 1, cell_height - 1, std::isfinite(value) ? shade(amount) : "#dddddd");
      const std::string number = fmt::format("{:.{}f}", value, map.decimals);
      const double size =
          std::min({kSize, 0.7 * cell_height, kSize * (cell_width - 3) / text_width(number, kSize)});
      canvas.text({x + cell_width / 2, y + cell_height / 2}, number,
                  {.size = size,
                   .fill = amount > 0.5 ? "#ffffff"
                           : value == 0 ? "#b0b0b0"
                                        : "#333333"});
    }
    canvas.text({box.left - 6, y + cell_height / 2}, map.rows[r], {.size = kSize, .anchor = "end"});
  }
  for (std::size_t c = 0; c < columns; ++c)
    canvas.text({box.left + (static_cast<double>(c) + (slope ? 0.6 : 0.5)) * cell_width, box.bottom() + 10},
                map.columns[c],
                {.size = kSize, .anchor = slope ? "end" : "middle", .rotate = slope ? -40.0 : 0.0});
  if (!map.x_label.empty()) canvas.text({box.left + box.width / 2, height - 12}, map.x_label);
  if (!map.y_label.empty()) canvas.text({14, box.top + box.height / 2}, map.y_label, {.rotate = -90});
}

}  // namespace evenkeel::report::detail
