#include <evenkeel/analysis/page.h>

#include <fmt/format.h>

namespace evenkeel::analysis::detail {

std::string svg_page(const report::detail::Canvas& canvas, double width, double height) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\" font-family=\"DejaVu Sans, Verdana, Helvetica, sans-serif\">\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
      width, height, canvas.elements());
}

}  // namespace evenkeel::analysis::detail
