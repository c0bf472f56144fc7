#include "results.h"

#include <evenkeel/core/error.h>
#include <evenkeel/report/svg.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

namespace evenkeel::bench {

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw FileError("[bench] expected to write " + path.string() + ", got an error");
}

std::string json_text(const Results& results) {
  using nlohmann::ordered_json;
  ordered_json rows = ordered_json::array(), memory = ordered_json::array();
  for (const Row& row : results.rows)
    rows.push_back({{"name", row.name},
                    {"group", row.group},
                    {"pass", row.pass},
                    {"threads", row.threads},
                    {"evenkeel_ms", row.ms},
                    {"torch_ms", row.torch_ms},
                    {"ratio", row.ratio()},
                    {"flops", row.work.flops},
                    {"bytes", row.work.bytes},
                    {"best_rate", row.best_rate}});
  for (const MemoryRow& row : results.memory)
    memory.push_back({{"name", row.name}, {"evenkeel_bytes", row.bytes}, {"torch_bytes", row.torch_bytes}});
  ordered_json gflops, gigabytes;
  for (const auto& [threads, value] : results.machine.gflops) gflops[std::to_string(threads)] = value;
  for (const auto& [threads, value] : results.machine.gigabytes) gigabytes[std::to_string(threads)] = value;
  return ordered_json{{"processor", results.machine.processor},
                      {"cores", results.machine.cores},
                      {"sgemm_gflops", gflops},
                      {"memory_gigabytes_a_second", gigabytes},
                      {"build", results.build},
                      {"torch", results.torch},
                      {"rows", rows},
                      {"memory", memory}}
             .dump(1) +
         "\n";
}

/// One bar a group and number of threads: the geometric mean, on a log axis that starts from equal speed.
report::BarChart chart(const Results& results) {
  report::BarChart chart{.title = "Times faster than PyTorch " + results.torch + " on the same CPU",
                         .y_label = "geometric mean of the group",
                         .y_scale = report::Scale::log};
  std::map<int, std::map<std::string, std::pair<double, int>>> sums;
  for (const Row& row : results.rows) {
    auto& [sum, count] = sums[row.threads][row.group];
    sum += std::log(row.ratio());
    ++count;
    if (std::find(chart.categories.begin(), chart.categories.end(), row.group) == chart.categories.end())
      chart.categories.push_back(row.group);
  }
  for (const auto& [threads, groups] : sums) {
    report::Bars bars{.name = threads == 1 ? "1 thread" : fmt::format("{} threads", threads)};
    for (const std::string& group : chart.categories) {
      const auto& [sum, count] = groups.at(group);
      bars.values.push_back(std::exp(sum / count));
    }
    chart.bars.push_back(bars);
  }
  return chart;
}

}  // namespace

void write_results(const Results& results, const std::string& folder) {
  const std::filesystem::path path(folder);
  write(path / "against_torch.json", json_text(results));
  std::string page = "# Evenkeel beside PyTorch\n\n" + summary(results) +
                     "\nEvery pass, worst first:\n\n```\n" + comparison_table(results) + "```\n";
  if (!results.memory.empty())
    page += "\nPeak memory of a training step:\n\n```\n" + memory_table(results) + "```\n";
  write(path / "against_torch.md", page);
  write(path / "summary.md", summary(results) + "\n" + worst_rows(results));
  report::save_svg((path / "against_torch.svg").string(), {chart(results)},
                   {.panel_width = 860, .panel_height = 380});
}

}  // namespace evenkeel::bench
