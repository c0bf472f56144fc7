// Times layers and training steps (bench/cases.json).
//   layers [--threads N] [--only TEXT]   a table: time, GFLOP/s, share of this machine's SGEMM peak
//   layers --serve                       answers requests, one line of JSON each; bench/compare.py asks them

#include "layer_cases.h"

#include <evenkeel/core/build_info.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <vector>

namespace {

using namespace evenkeel;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Timing {
  double ms;
  std::size_t runs;
};

/// Median of many runs, after three that do not count.
Timing measure(const bench::Run& run, double seconds) {
  for (int i = 0; i < 3; ++i) run();
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.size() < 5 || (seconds_since(begin) < seconds && times.size() < 2000)) {
    const auto start = Clock::now();
    run();
    times.push_back(seconds_since(start));
  }
  std::sort(times.begin(), times.end());
  return {1e3 * times[times.size() / 2], times.size()};
}

/// GFLOP/s of a 512 × 512 × 512 SGEMM on one thread: the best of many.
double sgemm_peak() {
  constexpr std::int64_t n = 512;
  std::vector<float> a(n * n, 1.0f), b(n * n, 1.0f), c(n * n);
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = Clock::now();
    kernels::gemm<float>(false, false, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n);
    best = std::min(best, seconds_since(start));
  }
  return 2.0 * n * n * n / best / 1e9;
}

void serve() {
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    set_num_threads(request["threads"]);
    const double peak = sgemm_peak();
    const bench::Run run = bench::make_run(request["case"], request["pass"]);
    const Timing timing = measure(run, request["seconds"]);
    const json answer{{"ms", timing.ms},
                      {"runs", timing.runs},
                      {"flops", bench::flops(request["case"], request["pass"])},
                      {"peak_gflops", peak}};
    std::cout << answer.dump() << std::endl;
  }
}

void print_table(const std::string& only) {
  std::ifstream file(EVENKEEL_BENCH_CASES);
  const double peak = sgemm_peak();
  fmt::print("{}\nSGEMM peak of one thread: {:.1f} GFLOP/s\n\n", build_info(), peak);
  fmt::print("{:<28} {:<12} {:>12} {:>10} {:>8}\n", "case", "pass", "ms", "GFLOP/s", "of peak");
  for (const json& entry : json::parse(file)) {
    const std::string name = entry["name"], group = entry["group"];
    if (name.find(only) == std::string::npos && group != only) continue;
    std::vector<std::string> passes{"forward", "train"};
    if (group == "conv" || group == "depthwise" || group == "transposed")
      passes = {"forward", "input grad", "weight grad"};
    if (group == "step" || group == "optimiser") passes = {"train"};
    for (const std::string& pass : passes) {
      const Timing timing = measure(bench::make_run(entry, pass), 0.2);
      const double rate = bench::flops(entry, pass) / timing.ms / 1e6;
      fmt::print("{:<28} {:<12} {:>12.4f}", name, pass, timing.ms);
      if (rate > 0) fmt::print(" {:>10.1f} {:>6.0f} %", rate, 100 * rate / (peak * num_threads()));
      fmt::print("\n");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string only;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--serve") return serve(), 0;
    if (arguments[i] == "--only" && has_value)
      only = arguments[++i];
    else if (arguments[i] == "--threads" && has_value)
      set_num_threads(std::stoi(arguments[++i]));
    else
      return fmt::print(stderr, "usage: layers [--serve] [--threads N] [--only TEXT]\n"), 2;
  }
  print_table(only);
}
