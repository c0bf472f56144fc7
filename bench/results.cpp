#include "results.h"

#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::bench {

namespace {

using report::Align;

std::string threads_text(int threads) {
  return threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(std::max<std::size_t>(values.size(), 1)));
}

/// How rows that pass `chosen` compare.
struct Standing {
  std::vector<double> ratios;
  const Row* worst = nullptr;

  template <class F>
  Standing(const std::vector<Row>& rows, F&& chosen) {
    for (const Row& row : rows) {
      if (!chosen(row)) continue;
      ratios.push_back(row.ratio());
      if (worst == nullptr || row.ratio() < worst->ratio()) worst = &row;
    }
  }
};

template <class F>
auto distinct(const std::vector<Row>& rows, F&& key) {
  std::vector<std::decay_t<decltype(key(rows.front()))>> keys;
  for (const Row& row : rows)
    if (std::find(keys.begin(), keys.end(), key(row)) == keys.end()) keys.push_back(key(row));
  return keys;
}

/// "134.2 GFLOP/s" or "21.3 GB/s", and the share of what the machine can do.
std::pair<std::string, std::string> rate(const Row& row) {
  const bool computes = row.work.computes();
  const double giga = (computes ? row.work.flops : row.work.bytes) / row.ms / 1e6;
  return {fmt::format("{:.1f} {}", giga, computes ? "GFLOP/s" : "GB/s   "),
          fmt::format("{:.0f} %", 100 * giga / row.best_rate)};
}

}  // namespace

std::string machine_text(const Results& results) {
  std::string text = fmt::format("{}, {} cores;", results.machine.processor, results.machine.cores);
  for (const auto& [threads, gflops] : results.machine.gflops)
    text += fmt::format(" {}: SGEMM {:.0f} GFLOP/s, memory {:.1f} GB/s;", threads_text(threads), gflops,
                        results.machine.gigabytes.at(threads));
  text.back() = '.';
  text += "\n" + results.build;
  return results.torch.empty() ? text : text + "; PyTorch " + results.torch;
}

std::string own_table(const Results& results) {
  const auto counts = distinct(results.rows, [](const Row& row) { return row.threads; });
  std::vector<report::Column> columns{{"case"}, {"pass"}};
  for (const int threads : counts)
    for (const std::string& header : {threads_text(threads), std::string("rate"), std::string("of best")})
      columns.push_back({header, Align::right});
  if (counts.size() > 1) columns.push_back({"gain", Align::right});
  report::Table table(columns);
  const std::string* group = nullptr;
  for (std::size_t i = 0; i < results.rows.size(); i += counts.size()) {
    const Row* row = &results.rows[i];
    if (group != nullptr && *group != row->group) table.add_rule();
    group = &row->group;
    std::vector<std::string> cells{row->name, row->pass};
    for (std::size_t k = 0; k < counts.size(); ++k) {
      const auto [speed, share] = rate(row[k]);
      cells.insert(cells.end(), {fmt::format("{:.4f} ms", row[k].ms), speed, share});
    }
    if (counts.size() > 1) cells.push_back(fmt::format("{:.2f}x", row[0].ms / row[counts.size() - 1].ms));
    table.add_row(cells);
  }
  return table.str();
}

std::string comparison_table(const Results& results, std::size_t most) {
  std::vector<Row> rows = results.rows;
  std::stable_sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.ratio() < b.ratio(); });
  report::Table table({{"times faster", Align::right},
                       {"case"},
                       {"pass"},
                       {"threads", Align::right},
                       {"Evenkeel", Align::right},
                       {"PyTorch", Align::right},
                       {"rate", Align::right},
                       {"of best", Align::right}});
  rows.resize(std::min(rows.size(), most));
  for (const Row& row : rows) {
    const auto [speed, share] = rate(row);
    table.add_row({fmt::format("{:.2f}x", row.ratio()), row.group + ": " + row.name, row.pass,
                   std::to_string(row.threads), fmt::format("{:.4f} ms", row.ms),
                   fmt::format("{:.4f} ms", row.torch_ms), speed, share});
  }
  return table.str();
}

std::string memory_table(const Results& results) {
  report::Table table(
      {{"training step of"}, {"Evenkeel", Align::right}, {"PyTorch", Align::right}, {"share", Align::right}});
  std::vector<double> shares;
  for (const MemoryRow& row : results.memory) {
    const bool both = row.torch_bytes > 0;
    if (both) shares.push_back(row.bytes / row.torch_bytes);
    table.add_row({row.name, report::format_bytes(row.bytes),
                   both ? report::format_bytes(row.torch_bytes) : "",
                   both ? fmt::format("{:.2f}", shares.back()) : ""});
  }
  if (!shares.empty()) {
    table.add_rule();
    table.add_row({"geometric mean", "", "", fmt::format("{:.2f}", geometric_mean(shares))});
  }
  return table.str();
}

std::string summary(const Results& results) {
  const auto groups = distinct(results.rows, [](const Row& row) { return row.group; });
  const auto counts = distinct(results.rows, [](const Row& row) { return row.threads; });
  std::string text = machine_text(results) + "\n\n| times faster than PyTorch |";
  std::string rule = "|---|";
  for (const int threads : counts) {
    text += fmt::format(" {}, mean | worst |", threads_text(threads));
    rule += "--:|--:|";
  }
  text += "\n" + rule + "\n";
  const auto add_line = [&](const std::string& name, const std::string* group) {
    text += "| " + name + " |";
    for (const int threads : counts) {
      const Standing standing(results.rows, [&](const Row& row) {
        return row.threads == threads && (group == nullptr || row.group == *group);
      });
      text += fmt::format(" {:.2f} | {:.2f} |", geometric_mean(standing.ratios), standing.worst->ratio());
    }
    text += "\n";
  };
  for (const std::string& group : groups) add_line(group, &group);
  add_line("**all**", nullptr);
  if (results.memory.empty()) return text;
  std::vector<double> shares;
  for (const MemoryRow& row : results.memory) shares.push_back(row.bytes / row.torch_bytes);
  return text + fmt::format(
                    "\nPeak memory of a training step, as a share of PyTorch's: {:.2f} in geometric "
                    "mean, {:.2f} at most ({} blocks and nets).\n",
                    geometric_mean(shares), *std::max_element(shares.begin(), shares.end()), shares.size());
}

std::string worst_rows(const Results& results) {
  constexpr std::size_t kShown = 10;
  const auto behind =
      std::count_if(results.rows.begin(), results.rows.end(), [](const Row& row) { return row.ratio() < 1; });
  return fmt::format("Of {} rows PyTorch is ahead in {}. The worst:\n\n```\n{}```\n", results.rows.size(),
                     behind, comparison_table(results, kShown));
}

std::string verdict(const Results& results) {
  const Standing standing(results.rows, [](const Row&) { return true; });
  const Row& worst = *std::min_element(results.rows.begin(), results.rows.end(),
                                       [](const Row& a, const Row& b) { return a.ratio() < b.ratio(); });
  return fmt::format("geometric mean {:.2f}x\nworst {:.2f}x: {}, {}, {}\n", geometric_mean(standing.ratios),
                     worst.ratio(), worst.name, worst.pass, threads_text(worst.threads));
}

}  // namespace evenkeel::bench
