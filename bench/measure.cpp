#include "measure.h"

#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include <sched.h>

namespace evenkeel::bench {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class F>
double best_seconds(int rounds, F&& run) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto start = Clock::now();
    run();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

double sgemm_gflops(int rounds) {
  constexpr std::int64_t n = 768;
  const std::int64_t threads = num_threads();
  static std::vector<float> a(n * n, 1.0f), b(n * n, 1.0f), c;
  c.resize(std::max(c.size(), static_cast<std::size_t>(threads * n * n)));
  const double seconds = best_seconds(rounds, [&] {
    detail::parallel_for(threads, [&](std::int64_t i) {
      kernels::gemm<float>(false, false, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data() + i * n * n, n);
    });
  });
  return 2e-9 * n * n * n * static_cast<double>(threads) / seconds;
}

double gigabytes_a_second(int rounds) {
  constexpr std::int64_t n = 1 << 25, kPiece = 1 << 18;
  static const std::vector<float> x(n, 1.0f);
  static std::vector<float> y(n, 1.0f);
  const double seconds = best_seconds(rounds, [&] {
    detail::parallel_ranges(n, kPiece, [&](std::int64_t begin, std::int64_t end) {
      float* to = y.data();
      const float* from = x.data();
      for (std::int64_t i = begin; i < end; ++i) to[i] += 0.5f * from[i];
    });
  });
  return 3e-9 * sizeof(float) * n / seconds;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

void sample(const Run& run, double seconds, std::vector<double>& times) {
  run();
  const auto begin = Clock::now();
  for (int i = 0; i < 2 || (seconds_since(begin) < seconds && i < 2000); ++i) {
    const auto start = Clock::now();
    run();
    times.push_back(1e3 * seconds_since(start));
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double best_rate(bool computes) {
  constexpr int kRuns = 2;
  return computes ? sgemm_gflops(kRuns) : gigabytes_a_second(kRuns);
}

Machine this_machine() {
  return {.processor = processor_name(), .cores = static_cast<int>(std::thread::hardware_concurrency())};
}

void Machine::measure(const std::vector<int>& thread_counts) {
  for (const int threads : thread_counts) {
    set_num_threads(threads);
    gflops[threads] = std::max(gflops[threads], sgemm_gflops(20));
    gigabytes[threads] = std::max(gigabytes[threads], gigabytes_a_second(8));
  }
}

std::vector<int> keep_to_cpus(int threads) {
  static const cpu_set_t all = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    return set;
  }();
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &all)) cpus.push_back(cpu);
  if (threads == 1 && !cpus.empty()) cpus = {cpus.back()};
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (const int cpu : cpus) CPU_SET(cpu, &chosen);
  sched_setaffinity(0, sizeof(chosen), &chosen);
  return cpus;
}

}  // namespace evenkeel::bench
