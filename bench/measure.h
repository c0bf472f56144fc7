#pragma once

#include "cases.h"

#include <map>
#include <string>
#include <vector>

namespace evenkeel::bench {

/// Runs once uncounted, then for `seconds`, at least twice; appends each run's milliseconds to `times`.
void sample(const Run& run, double seconds, std::vector<double>& times);

double median(std::vector<double> values);

/// What this machine can do at its best, as far as this library knows how to.
struct Machine {
  std::string processor = {};
  int cores = 0;
  std::map<int, double> gflops = {};     ///< of SGEMM, by the number of threads
  std::map<int, double> gigabytes = {};  ///< a second of y = y + a·x over vectors that no cache holds

  /// Takes the higher figures of a second measurement: a shared machine is slow for seconds at a time.
  void take_better(const Machine& other);
};

Machine measure_machine(const std::vector<int>& thread_counts);

/// Keeps the calling thread to one CPU if it is to work alone, else lets it run on all that the program may
/// use. Returns them, for a program that takes turns with this one: left to the system, the two could stay on
/// different CPUs, one of them slower.
std::vector<int> keep_to_cpus(int threads);

}  // namespace evenkeel::bench
