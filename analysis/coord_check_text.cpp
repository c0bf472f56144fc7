#include <evenkeel/analysis/coord_check.h>
#include <evenkeel/report/svg.h>
#include <evenkeel/report/table.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace evenkeel::analysis {

namespace {

std::string label(const CoordLayer& layer) { return layer.layer.empty() ? "(model)" : layer.layer; }

/// One range for all panels, of three decades at least, so that flat looks flat.
std::pair<double, double> y_range(const std::vector<CoordLayer>& layers) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const CoordLayer& layer : layers) {
    for (const CoordCurve* curve : {&layer.total, &layer.own}) {
      for (const auto& changes : curve->change) {
        for (const double change : changes) {
          if (!(change > 0) || !std::isfinite(change)) continue;
          low = std::min(low, change);
          high = std::max(high, change);
        }
      }
    }
  }
  if (!(low <= high)) return {0.1, 10};
  const double margin = std::max(1.1, std::sqrt(1000 / (high / low)));
  return {low / margin, high * margin};
}

nlohmann::ordered_json to_json(const CoordCurve& curve) {
  return {{"change", curve.change}, {"slopes", curve.slopes}};
}

}  // namespace

std::string CoordCheck::text() const {
  const std::size_t steps = layers.empty() ? 0 : layers.front().total.slopes.size();
  std::vector<report::Column> columns{{"layer"}};
  for (std::size_t step = 1; step <= steps; ++step)
    columns.push_back({fmt::format("step {}", step), report::Align::right});
  columns.push_back({"verdict"});
  report::Table table(columns);
  for (const CoordLayer& layer : layers) {
    std::vector<std::string> cells{label(layer)};
    for (std::size_t step = 0; step < steps; ++step) {
      const bool has_own = !layer.own.slopes.empty();
      cells.push_back(fmt::format("{:+.3f} {:8}", layer.total.slopes[step],
                                  has_own ? fmt::format("({:+.3f})", layer.own.slopes[step]) : ""));
    }
    cells.push_back(layer.is_flat ? "flat" : "NOT FLAT");
    table.add_row(cells);
  }
  return fmt::format(
      "change of each layer's output: slope over width {} to {} (log-log), in brackets by its own "
      "weights\n{}{}\n",
      widths.front(), widths.back(), table.str(),
      is_flat() ? "flat: rates transfer across widths" : "NOT FLAT: rates depend on the width");
}

std::string CoordCheck::json() const {
  auto list = nlohmann::ordered_json::array();
  for (const CoordLayer& layer : layers)
    list.push_back({{"layer", layer.layer},
                    {"total", to_json(layer.total)},
                    {"own", to_json(layer.own)},
                    {"flat", layer.is_flat}});
  return nlohmann::ordered_json({{"widths", widths}, {"flat", is_flat()}, {"layers", list}}).dump(1) + "\n";
}

std::string CoordCheck::svg() const {
  const std::vector<double> x(widths.begin(), widths.end());
  const std::size_t steps = layers.empty() ? 0 : layers.front().total.change.size();
  const auto [low, high] = y_range(layers);
  std::vector<report::Panel> panels;
  for (std::size_t step = 0; step < steps; ++step) {
    for (const bool own : {false, true}) {
      report::LineChart chart{.title = fmt::format("step {}: {}", step + 1,
                                                   own ? "change by own weights" : "change of the output"),
                              .x_label = "width",
                              .y_label = "root mean square",
                              .series = {},
                              .x_scale = report::Scale::log,
                              .y_scale = report::Scale::log,
                              .y_min = low,
                              .y_max = high};
      for (const CoordLayer& layer : layers) {
        const auto& change = (own ? layer.own : layer.total).change;
        if (!change.empty()) chart.series.push_back({label(layer), x, change[step], !layer.is_flat, true});
      }
      panels.emplace_back(std::move(chart));
    }
  }
  return report::svg(panels, {.columns = 2});
}

}  // namespace evenkeel::analysis
