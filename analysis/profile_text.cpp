#include <evenkeel/analysis/profile.h>
#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tuple>

namespace evenkeel::analysis {

namespace {

std::string rate(const Cost& cost) {
  return cost.flops > 0 && cost.seconds > 0 ? fmt::format("{:.1f}", cost.flops / cost.seconds / 1e9) : "-";
}

nlohmann::ordered_json to_json(const Cost& cost) {
  return {{"seconds", cost.seconds}, {"flops", cost.flops}, {"bytes", cost.bytes}};
}

nlohmann::ordered_json to_json(const LayerCost& layer) {
  return {{"layer", layer.layer}, {"forward", to_json(layer.forward)}, {"backward", to_json(layer.backward)}};
}

}  // namespace

std::string Profile::text() const {
  using report::Align;
  report::Table table({{"layer"},
                       {"share", Align::right},
                       {"-> ms", Align::right},
                       {"GFLOP/s", Align::right},
                       {"moves", Align::right},
                       {"<- ms", Align::right},
                       {"GFLOP/s", Align::right},
                       {"moves", Align::right}});
  const double step = total.forward.seconds + total.backward.seconds;
  const auto add_row = [&](const std::string& name, const LayerCost& layer) {
    const auto& [forward, backward] = std::tie(layer.forward, layer.backward);
    const double share = step > 0 ? (forward.seconds + backward.seconds) / step : 0;
    table.add_row({name, fmt::format("{:.1f} %", 100 * share), fmt::format("{:.3f}", 1e3 * forward.seconds),
                   rate(forward), report::format_bytes(forward.bytes),
                   fmt::format("{:.3f}", 1e3 * backward.seconds), rate(backward),
                   report::format_bytes(backward.bytes)});
  };
  for (const auto& layer : layers) add_row(layer.layer.empty() ? "(model)" : layer.layer, layer);
  table.add_rule();
  add_row("total", total);
  return table.str();
}

std::string Profile::json() const {
  auto list = nlohmann::ordered_json::array();
  for (const auto& layer : layers) list.push_back(to_json(layer));
  auto sums = to_json(total);
  sums.erase("layer");
  return nlohmann::ordered_json({{"layers", list}, {"total", sums}}).dump(1) + "\n";
}

}  // namespace evenkeel::analysis
