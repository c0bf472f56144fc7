#include <evenkeel/report/frame.h>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace evenkeel::report {

std::string svg(const std::vector<Panel>& panels, const SvgOptions& options) {
  constexpr int kMargin = 10;
  const int count = static_cast<int>(panels.size());
  const int columns =
      options.columns > 0 ? std::min(options.columns, std::max(count, 1)) : std::max(count, 1);
  const int rows = (count + columns - 1) / columns;
  const int step_x = options.panel_width + kMargin, step_y = options.panel_height + kMargin;
  detail::Canvas canvas;
  for (int i = 0; i < count; ++i) {
    canvas.begin_area({static_cast<double>(kMargin + i % columns * step_x),
                       static_cast<double>(kMargin + i / columns * step_y)},
                      options.panel_width, options.panel_height);
    std::visit([&](const auto& panel) { draw(canvas, panel, options.panel_width, options.panel_height); },
               panels[static_cast<std::size_t>(i)]);
    canvas.end_area();
  }
  const int width = kMargin + columns * step_x, height = kMargin + rows * step_y;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"DejaVu Sans, Verdana, Helvetica, sans-serif\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
      width, height, canvas.elements());
}

void save_svg(const std::string& path, const std::vector<Panel>& panels, const SvgOptions& options) {
  const std::string text = svg(panels, options);
  std::ofstream file(path);
  file << text << std::flush;
  if (!file)
    throw std::runtime_error("[save_svg] expected to write " + path + ", got: " + std::strerror(errno));
}

}  // namespace evenkeel::report
