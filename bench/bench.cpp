// Times the cases of cases.json, alone or beside PyTorch: ./dev bench --help.

#include "child.h"
#include "memory.h"
#include "results.h"

#include <evenkeel/core/build_info.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>
#include <evenkeel/report/progress.h>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

namespace {

using namespace evenkeel;
using nlohmann::json;

constexpr int kRounds = 3;  ///< turns of each side
constexpr const char* kOwnCases = EVENKEEL_BENCH_FOLDER "/cases.json";

struct Options {
  std::vector<std::string> only;
  std::vector<int> threads{1, 2};
  double seconds = 0.15;
  std::string against, python, out;
  std::string cases = kOwnCases;
  bool memory = false;
  std::string peak;  ///< of the memory: the case that this process is to run
};

report::Progress make_progress(std::string label, std::size_t total) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  return report::Progress({.label = std::move(label),
                           .total = static_cast<std::int64_t>(total),
                           .unit = "cases",
                           .mode = terminal ? report::ProgressMode::bar : report::ProgressMode::quiet});
}

std::unique_ptr<bench::Child> start_torch(const Options& options) {
  if (options.against.empty()) return nullptr;
  if (options.python.empty())
    throw ConfigError("[bench] expected --python or EVENKEEL_TORCH_PYTHON with --against torch, got neither");
  return std::make_unique<bench::Child>(
      std::vector<std::string>{options.python, EVENKEEL_BENCH_FOLDER "/torch_side.py"});
}

/// The two sides, and what the machine does at best, take turns, so that whatever slows it down slows all.
bench::Row time_pass(const bench::Case& item, const std::string& pass, int threads, double seconds,
                     bench::Child* torch) {
  const bench::Work work = bench::work(item, pass);
  const std::vector<int> cpus = bench::keep_to_cpus(threads);
  set_num_threads(threads);
  release_cached();
  const bench::Run run = bench::make_run(item, pass);
  const json request{{"case", item.entry},
                     {"pass", pass},
                     {"threads", threads},
                     {"cpus", cpus},
                     {"seconds", seconds / kRounds}};
  std::vector<double> ours, best, theirs;
  for (int round = 0; round < kRounds; ++round) {
    bench::sample(run, seconds / kRounds, ours);
    best.push_back(bench::best_rate(work.computes()));
    if (torch == nullptr) continue;
    const json answer = torch->ask(request);
    for (const double ms : answer["ms"]) theirs.push_back(ms);
  }
  return {.name = item.name,
          .group = item.group,
          .pass = pass,
          .threads = threads,
          .ms = bench::median(ours),
          .torch_ms = theirs.empty() ? 0 : bench::median(theirs),
          .work = work,
          .best_rate = bench::median(best)};
}

void time_cases(const Options& options, const std::vector<bench::Case>& cases, bench::Results& results) {
  results.machine = bench::this_machine();
  results.machine.measure(options.threads);
  const std::unique_ptr<bench::Child> torch = start_torch(options);
  if (torch) results.torch = torch->ask({{"version", true}});
  report::Progress progress = make_progress("timing", cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    progress.update(static_cast<std::int64_t>(i), cases[i].name);
    for (const std::string& pass : bench::passes(cases[i]))
      for (const int threads : options.threads)
        results.rows.push_back(time_pass(cases[i], pass, threads, options.seconds, torch.get()));
  }
  bench::keep_to_cpus(0);
  results.machine.measure(options.threads);
}

/// Every case in a process of its own.
void measure_memory(const Options& options, const std::vector<bench::Case>& cases, bench::Results& results) {
  const std::unique_ptr<bench::Child> torch = start_torch(options);
  report::Progress progress = make_progress("memory", cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    progress.update(static_cast<std::int64_t>(i), cases[i].name);
    if (cases[i].group != "block" && cases[i].group != "step") continue;
    bench::Child ours({"/proc/self/exe", "--cases", options.cases, "--peak", cases[i].name});
    bench::MemoryRow row{.name = cases[i].name, .bytes = ours.ask({})};
    if (torch) row.torch_bytes = torch->ask({{"case", cases[i].entry}, {"peak", true}});
    results.memory.push_back(row);
  }
}

/// Where a comparison goes: what is only a part, or of other cases, leaves the whole one as it is.
std::filesystem::path results_folder(const Options& options) {
  const std::filesystem::path whole = EVENKEEL_BENCH_FOLDER "/results";
  if (!options.out.empty()) return options.out;
  if (!options.only.empty() || options.threads != Options().threads) return "runs/bench";
  return options.cases == kOwnCases ? whole : whole / std::filesystem::path(options.cases).stem();
}

void run(const Options& options) {
  const auto cases = bench::read_cases(options.cases, options.only);
  const bool against = !options.against.empty();
  const std::string out = results_folder(options).string();
  // A folder that cannot be made is told before the timing.
  if (against && !options.memory) std::filesystem::create_directories(out);
  bench::Results results;
  results.build = build_info();
  if (!options.memory) time_cases(options, cases, results);
  if (options.memory || (against && options.only.empty())) measure_memory(options, cases, results);
  if (options.memory && results.memory.empty())
    throw ConfigError("[bench] expected blocks or training steps with --memory, got none");

  if (!results.memory.empty()) fmt::print("{}\n", bench::memory_table(results));
  if (options.memory) return;
  fmt::print("{}\n", against ? bench::comparison_table(results) : bench::own_table(results));
  if (!against) fmt::print("{}\n", bench::machine_text(results));
  if (!against) return;
  bench::write_results(results, out);
  fmt::print("\n{}\n{}/against_torch.md, .json, .svg\n\n{}", bench::summary(results), out,
             bench::verdict(results));
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  CLI::App app("Times layers, blocks, optimisers and training steps: our own numbers, or beside PyTorch's.");
  app.add_option("--cases", options.cases, "what to time")->check(CLI::ExistingFile)->capture_default_str();
  app.add_option("--only", options.only, "groups, or parts of names, of the cases");
  app.add_option("--threads", options.threads, "thread counts")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "time for a pass")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI::Option* const against = app.add_option("--against", options.against, "torch: side by side, in turn")
                                   ->check(CLI::IsMember({"torch"}));
  app.add_option("--python", options.python, "a Python that has PyTorch (or EVENKEEL_TORCH_PYTHON)")
      ->envname("EVENKEEL_TORCH_PYTHON");
  app.add_option(
         "--out", options.out,
         "folder for a comparison (bench/results; with --cases one inside it; of a part, by --only or "
         "--threads: runs/bench)")
      ->needs(against);
  app.add_flag("--memory", options.memory, "peak memory of training steps instead of time");
  app.add_option("--peak", options.peak, "")->group("");
  CLI11_PARSE(app, argc, argv);
  if (options.peak.empty()) {
    run(options);
    return 0;
  }
  for (const bench::Case& item : bench::read_cases(options.cases, {options.peak}))
    if (item.name == options.peak) std::printf("%.0f\n", bench::peak_growth(item));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
