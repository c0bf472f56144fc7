#pragma once

#include "cases.h"

#include <map>
#include <string>
#include <vector>

namespace evenkeel::bench {

/// Runs once uncounted, then for `seconds`, at least twice; appends each run's milliseconds to `times`.
void sample(const Run& run, double seconds, std::vector<double>& times);

double median(std::vector<double> values);

/// What the machine does at best on all threads of this library: GFLOP/s of an SGEMM on each, or gigabytes a
/// second of y = y + a·x over vectors that no cache holds. The better of two runs, some milliseconds in all.
double best_rate(bool computes);

/// What this machine can do at its best, as far as this library knows how to.
struct Machine {
  std::string processor = {};
  int cores = 0;
  std::map<int, double> gflops = {};     ///< by the number of threads
  std::map<int, double> gigabytes = {};  ///< a second

  /// Measures anew and keeps the higher figures: a shared machine is slow for seconds at a time.
  void measure(const std::vector<int>& thread_counts);
};

/// Its names alone.
Machine this_machine();

/// Keeps the calling thread to one CPU if it is to work alone, else lets it run on all that the program may
/// use. Returns them, for a program that takes turns with this one: left to the system, the two could stay on
/// different CPUs, one of them slower.
std::vector<int> keep_to_cpus(int threads);

}  // namespace evenkeel::bench
