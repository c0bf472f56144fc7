#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace evenkeel::report {

// Charts as SVG text: no dependency, opens in any browser, can be diffed. Colours are those of Okabe and Ito,
// which colour-blind readers can tell apart.

enum class Scale { linear, log };

/// One line of a chart. A value that is not finite (or ≤ 0 on a log axis) leaves a gap.
struct Series {
  std::string name = {};  ///< in the legend; none if empty
  std::vector<double> x = {}, y = {};
  bool dashed = false;
  bool markers = false;  ///< a dot at every point
};

struct LineChart {
  std::string title = {};
  std::string x_label = {}, y_label = {};  ///< with their units: "time (s)"
  std::vector<Series> series = {};
  Scale x_scale = Scale::linear, y_scale = Scale::linear;
  std::optional<double> y_min = {}, y_max = {};  ///< limits of the axis; from the data if not given
};

struct Bars {
  std::string name = {};            ///< in the legend; none if empty
  std::vector<double> values = {};  ///< one a category
};

struct BarChart {
  std::string title = {};
  std::string y_label = {};
  std::vector<std::string> categories = {};
  std::vector<Bars> bars = {};
  Scale y_scale = Scale::linear;  ///< bars start at 0; on a log axis at 1
};

/// A matrix as coloured cells, with their numbers: a confusion matrix.
struct HeatMap {
  std::string title = {};
  std::string x_label = {}, y_label = {};
  std::vector<std::string> rows = {}, columns = {};
  std::vector<double> values = {};  ///< rows.size() × columns.size(), row-major
  int decimals = 0;                 ///< of the numbers in the cells
  double gamma = 1;                 ///< colour = (value / largest)^gamma; below 1 shows small values
};

using Panel = std::variant<LineChart, BarChart, HeatMap>;

struct SvgOptions {
  int panel_width = 460, panel_height = 340;
  int columns = 0;  ///< panels side by side; all in one row if 0
};

/// One file with all panels. std::invalid_argument if the lengths in a panel do not fit each other.
std::string svg(const std::vector<Panel>& panels, const SvgOptions& options = {});

/// Writes svg(panels, options) to `path`. std::runtime_error with the system's reason.
void save_svg(const std::string& path, const std::vector<Panel>& panels, const SvgOptions& options = {});

}  // namespace evenkeel::report
