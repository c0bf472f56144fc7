#include "kernels/kernel_support.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sched.h>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// Runs f with each of some thread counts, then puts the old one back.
template <class F>
void at_thread_counts(F&& f) {
  const int before = num_threads();
  for (const int threads : {1, 2, 5, 16}) {
    set_num_threads(threads);
    f();
  }
  set_num_threads(before);
}

/// Half of the smallest normal number, by the processor at run time.
float half_of_smallest() {
  volatile float smallest = std::numeric_limits<float>::min();
  return smallest * 0.5f;
}

/// Where the calling thread may run.
cpu_set_t own_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  return cpus;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(parallel_test)

BOOST_AUTO_TEST_CASE(every_piece_runs_once) {
  at_thread_counts([] {
    for (const std::int64_t pieces : {0, 1, 2, 7, 1000})
      for (int repeat = 0; repeat < 50; ++repeat) {
        std::vector<std::atomic<int>> runs(static_cast<std::size_t>(pieces));
        detail::parallel_for(pieces, [&](std::int64_t piece) { ++runs[piece]; });
        for (const auto& count : runs) BOOST_REQUIRE_EQUAL(count, 1);
      }
  });
}

BOOST_AUTO_TEST_CASE(ranges_cover_the_count_in_pieces_of_the_grain) {
  at_thread_counts([] {
    std::vector<std::atomic<int>> runs(1003);
    std::atomic<int> pieces{0};  // the checks themselves are for one thread
    detail::parallel_ranges(1003, 100, [&](std::int64_t begin, std::int64_t end) {
      pieces += begin % 100 == 0 && (end == 1003 || end == begin + 100);
      for (std::int64_t i = begin; i < end; ++i) ++runs[i];
    });
    BOOST_CHECK_EQUAL(pieces, 11);
    for (const auto& count : runs) BOOST_REQUIRE_EQUAL(count, 1);
  });
}

BOOST_AUTO_TEST_CASE(an_error_in_a_piece_reaches_the_caller_and_the_pool_works_on) {
  at_thread_counts([] {
    const auto fail = [](std::int64_t piece) {
      if (piece == 13) throw std::runtime_error("piece 13");
    };
    BOOST_CHECK_THROW(detail::parallel_for(100, fail), std::runtime_error);
    std::atomic<int> runs{0};
    detail::parallel_for(100, [&](std::int64_t) { ++runs; });
    BOOST_CHECK_EQUAL(runs, 100);
  });
}

BOOST_AUTO_TEST_CASE(nested_and_concurrent_calls_finish) {
  at_thread_counts([] {
    std::atomic<int> runs{0};
    const auto outer = [&] {
      for (int repeat = 0; repeat < 20; ++repeat)
        detail::parallel_for(8,
                             [&](std::int64_t) { detail::parallel_for(8, [&](std::int64_t) { ++runs; }); });
    };
    std::thread other(outer);
    outer();
    other.join();
    BOOST_CHECK_EQUAL(runs, 2 * 20 * 64);
  });
}

BOOST_AUTO_TEST_CASE(workers_keep_off_the_callers_processor) {
  const cpu_set_t all = own_cpus();
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &all)) cpus.push_back(cpu);
  if (cpus.size() < 2) {
    BOOST_TEST_MESSAGE("skipped: one processor only");
    return;
  }
  const int before = num_threads();
  // The pool is started before the caller is kept to one processor, so its workers may use all.
  set_num_threads(1);
  set_num_threads(2);
  detail::parallel_for(2, [](std::int64_t) {});
  for (const unsigned cpu : {cpus[0], cpus[1], cpus[0]}) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> arrived{0};
    cpu_set_t workers{};
    detail::parallel_for(2, [&](std::int64_t) {
      for (++arrived; arrived < 2;) std::this_thread::yield();
      if (std::this_thread::get_id() != caller) workers = own_cpus();
    });
    BOOST_CHECK(!CPU_ISSET(cpu, &workers));
    BOOST_CHECK_EQUAL(CPU_COUNT(&workers), static_cast<int>(cpus.size()) - 1);
  }
  sched_setaffinity(0, sizeof all, &all);
  set_num_threads(before);
}

BOOST_AUTO_TEST_CASE(subnormals_are_flushed_inside_and_only_inside) {
  at_thread_counts([] {
    const auto flushed_pieces = [] {
      std::atomic<int> flushed{0};
      std::atomic<int> arrived{0};
      detail::parallel_for(64, [&](std::int64_t) {
        for (++arrived; arrived < std::min(num_threads(), 2);) std::this_thread::yield();
        flushed += half_of_smallest() == 0;
      });
      return flushed.load();
    };
    BOOST_CHECK_EQUAL(flushed_pieces(), 64);
    BOOST_CHECK_GT(half_of_smallest(), 0);
    set_flush_denormals(false);
    BOOST_CHECK_EQUAL(flushed_pieces(), 0);
    set_flush_denormals(true);
    BOOST_CHECK_EQUAL(flushed_pieces(), 64);
  });
}

BOOST_AUTO_TEST_CASE(thread_counts_out_of_range_are_refused) {
  BOOST_CHECK_THROW(set_num_threads(0), ConfigError);
  BOOST_CHECK_THROW(set_num_threads(257), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()
