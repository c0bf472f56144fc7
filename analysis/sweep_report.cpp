#include <evenkeel/analysis/sweep.h>
#include <evenkeel/core/error.h>
#include <evenkeel/report/svg.h>
#include <evenkeel/report/table.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace evenkeel::analysis {

namespace {

std::vector<std::string> families_of(const std::vector<SweepResult>& results) {
  std::vector<std::string> families;
  for (const auto& [run, loss, seconds] : results)
    if (std::find(families.begin(), families.end(), run.family) == families.end())
      families.push_back(run.family);
  return families;
}

std::set<std::int64_t> widths_of(const std::vector<SweepResult>& results, const std::string& family) {
  std::set<std::int64_t> widths;
  for (const auto& [run, loss, seconds] : results)
    if (run.family == family) widths.insert(run.width);
  return widths;
}

std::set<double> rates_of(const std::vector<SweepResult>& results, const std::string& family) {
  std::set<double> rates;
  for (const auto& [run, loss, seconds] : results)
    if (run.family == family) rates.insert(run.rate);
  return rates;
}

std::string rate_name(double rate) {
  const double exponent = std::log2(rate);
  return std::abs(exponent - std::round(exponent)) < 1e-9 ? fmt::format("2^{:.0f}", exponent)
                                                          : fmt::format("{:.3g}", rate);
}

}  // namespace

double sweep_loss(const std::vector<SweepResult>& results, const std::string& family, std::int64_t width,
                  double rate) {
  double sum = 0;
  int count = 0;
  for (const auto& [run, loss, seconds] : results) {
    if (run.family != family || run.width != width || run.rate != rate) continue;
    sum += loss;
    ++count;
  }
  if (count == 0)
    throw ConfigError(
        fmt::format("[sweep] expected a run of {}, width {}, rate {}, got none", family, width, rate));
  return sum / count;
}

double best_rate(const std::vector<SweepResult>& results, const std::string& family, std::int64_t width) {
  double best = 0, smallest = std::numeric_limits<double>::infinity();
  for (const double rate : rates_of(results, family)) {
    const double loss = sweep_loss(results, family, width, rate);
    if (loss < smallest) best = rate, smallest = loss;
  }
  if (best == 0)
    throw ConfigError(
        fmt::format("[sweep] expected a run of {}, width {} that did not diverge, got none", family, width));
  return best;
}

double best_rate_shift(const std::vector<SweepResult>& results, const std::string& family) {
  const auto widths = widths_of(results, family);
  if (widths.empty()) throw ConfigError("[sweep] expected runs of " + family + ", got none");
  return std::abs(
      std::log2(best_rate(results, family, *widths.rbegin()) / best_rate(results, family, *widths.begin())));
}

std::string sweep_table(const std::vector<SweepResult>& results) {
  std::string text;
  for (const std::string& family : families_of(results)) {
    std::vector<report::Column> columns{{"width", report::Align::right}};
    for (const double rate : rates_of(results, family))
      columns.push_back({rate_name(rate), report::Align::right});
    columns.push_back({"best", report::Align::right});
    report::Table table(columns);
    for (const std::int64_t width : widths_of(results, family)) {
      const double best = best_rate(results, family, width);
      std::vector<std::string> cells{std::to_string(width)};
      for (const double rate : rates_of(results, family)) {
        const double loss = sweep_loss(results, family, width, rate);
        cells.push_back(std::isfinite(loss) ? fmt::format("{:.4f}{}", loss, rate == best ? "*" : " ")
                                            : "diverged ");
      }
      cells.push_back(rate_name(best));
      table.add_row(cells);
    }
    text += family + ": final loss by width and learning rate\n" + table.str() + "\n";
  }
  return text;
}

std::string sweep_svg(const std::vector<SweepResult>& results) {
  std::vector<report::Panel> panels;
  // One range for all panels: from the best loss to what is far from any best, so that the dips can be seen.
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const std::string& family : families_of(results)) {
    for (const std::int64_t width : widths_of(results, family)) {
      const double best = sweep_loss(results, family, width, best_rate(results, family, width));
      low = std::min(low, best);
      high = std::max(high, best);
    }
  }
  for (const std::string& family : families_of(results)) {
    report::LineChart chart{.title = family,
                            .x_label = "log2 of the learning rate",
                            .y_label = "final loss",
                            .series = {},
                            .y_scale = report::Scale::log,
                            .y_min = low / 1.05,
                            .y_max = high * 1.8};
    for (const std::int64_t width : widths_of(results, family)) {
      report::Series series{.name = fmt::format("width {}", width), .x = {}, .y = {}, .markers = true};
      for (const double rate : rates_of(results, family)) {
        series.x.push_back(std::log2(rate));
        series.y.push_back(sweep_loss(results, family, width, rate));
      }
      chart.series.push_back(std::move(series));
    }
    panels.emplace_back(std::move(chart));
  }
  return report::svg(panels);
}

}  // namespace evenkeel::analysis
