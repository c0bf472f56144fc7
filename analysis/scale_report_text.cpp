#include <evenkeel/analysis/scale_report.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace evenkeel::analysis {

namespace {

struct Share {
  const char* key;    // in JSON
  const char* label;  // in text
  double ScaleStats::*value;
};
constexpr Share kShares[] = {{"zero", "zero", &ScaleStats::zero},
                             {"subnormal_f16", "sub-normal f16", &ScaleStats::subnormal_f16},
                             {"subnormal_f32", "sub-normal f32", &ScaleStats::subnormal_f32},
                             {"above_e4m3", "above E4M3", &ScaleStats::above_e4m3},
                             {"below_e4m3", "below E4M3", &ScaleStats::below_e4m3},
                             {"above_e5m2", "above E5M2", &ScaleStats::above_e5m2},
                             {"below_e5m2", "below E5M2", &ScaleStats::below_e5m2},
                             {"not_finite", "not finite", &ScaleStats::not_finite}};

std::string arrows(const std::string& forward, const std::string& backward) {
  std::string out;
  if (!forward.empty()) out += "-> " + forward;
  if (!backward.empty()) out += (out.empty() ? "<- " : ", <- ") + backward;
  return out;
}

std::string deviation(const ScaleStats& stats) { return fmt::format("{:.3g}", stats.deviation); }

std::string percent(double share) {
  return share > 0 && share < 0.001 ? "<0.1 %" : fmt::format("{:.1f} %", 100 * share);
}

/// "; zero -> 50.0 %, <- 1.2 %" for every share that is not 0 in both directions.
std::string shares(const ScaleRow& row) {
  std::string out;
  for (const auto& [key, label, value] : kShares) {
    const double forward = row.forward.*value, backward = row.backward ? (*row.backward).*value : 0;
    if (forward > 0 || backward > 0)
      out += fmt::format("; {} {}", label,
                         arrows(forward > 0 ? percent(forward) : "", backward > 0 ? percent(backward) : ""));
  }
  return out;
}

nlohmann::ordered_json to_json(const ScaleStats& stats) {
  nlohmann::ordered_json out;
  out["deviation"] = std::isfinite(stats.deviation) ? nlohmann::ordered_json(stats.deviation) : nullptr;
  for (const auto& [key, label, value] : kShares) out[key] = stats.*value;
  return out;
}

const char* kind(const ScaleRow& row) {
  if (row.is_parameter) return "parameter";
  return row.layer.empty() && row.name == "input" ? "input" : "op";
}

}  // namespace

std::string ScaleReport::text() const {
  std::size_t layer_width = 0, name_width = 0, shape_width = 0;
  for (const auto& row : rows) {
    layer_width = std::max(layer_width, row.layer.size());
    name_width = std::max(name_width, row.name.size());
    shape_width = std::max(shape_width, row.shape.str().size());
  }
  std::string out = "standard deviation: -> forward, <- backward\n";
  for (const auto& row : rows)
    fmt::format_to(std::back_inserter(out), "{:<{}}  {:<{}}  {:<{}}  ({}){}\n", row.layer, layer_width,
                   row.name, name_width, row.shape.str(), shape_width,
                   arrows(deviation(row.forward), row.backward ? deviation(*row.backward) : "none"),
                   shares(row));
  return out;
}

std::string ScaleReport::json() const {
  auto list = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    std::vector<std::int64_t> sizes;
    sizes.reserve(row.shape.rank());
    for (int axis = 0; axis < row.shape.rank(); ++axis) sizes.push_back(row.shape.dim(axis));
    list.push_back({{"layer", row.layer},
                    {"name", row.name},
                    {"kind", kind(row)},
                    {"shape", sizes},
                    {"forward", to_json(row.forward)},
                    {"backward", row.backward ? to_json(*row.backward) : nlohmann::ordered_json()}});
  }
  return nlohmann::ordered_json({{"rows", list}}).dump(1) + "\n";
}

}  // namespace evenkeel::analysis
