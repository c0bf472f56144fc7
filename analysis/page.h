#pragma once

#include <evenkeel/report/canvas.h>

#include <string>

namespace evenkeel::analysis::detail {

/// A whole SVG file of what is drawn on `canvas`.
std::string svg_page(const report::detail::Canvas& canvas, double width, double height);

}  // namespace evenkeel::analysis::detail
