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

BOOST_AUTO_TEST_CASE(shares_cover_the_count_in_equal_pieces_of_whole_units) {
  constexpr std::int64_t kGrain = 100, kUnit = 8;
  at_thread_counts([] {
    for (const std::int64_t count : {0, 1, 100, 101, 250, 1003}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      std::atomic<std::int64_t> pieces{0}, shortest{count}, longest{0}, within_units{0};
      detail::parallel_shares(
          count, kGrain,
          [&](std::int64_t begin, std::int64_t end) {
            ++pieces;
            within_units += begin % kUnit != 0 || (end != count && end % kUnit != 0);
            for (std::int64_t old = shortest; end - begin < old;)
              shortest.compare_exchange_weak(old, end - begin);
            for (std::int64_t old = longest; end - begin > old;)
              longest.compare_exchange_weak(old, end - begin);
            for (std::int64_t i = begin; i < end; ++i) ++runs[i];
          },
          kUnit);
      for (const auto& times : runs) BOOST_REQUIRE_EQUAL(times, 1);
      BOOST_CHECK_EQUAL(within_units, 0);
      BOOST_CHECK_LT(longest, kGrain + kUnit);
      BOOST_CHECK_LT(longest - shortest, 2 * kUnit);
      BOOST_CHECK(pieces <= std::max(num_threads(), 1) || pieces % num_threads() == 0);
    }
  });
}

BOOST_AUTO_TEST_CASE(workers_are_as_many_as_asked_for_and_run_every_piece_once) {
  struct Worker {
    std::thread::id thread = std::this_thread::get_id();
  };
  at_thread_counts([] {
    for (const int threads : {1, 2, 100}) {
      std::vector<std::atomic<int>> runs(500);
      std::atomic<int> workers{0}, strangers{0};
      detail::parallel_workers(
          500, threads,
          [&] {
            ++workers;
            return Worker{};
          },
          [&](const Worker& worker, std::int64_t piece) {
            strangers += worker.thread != std::this_thread::get_id();
            ++runs[piece];
          });
      for (const auto& times : runs) BOOST_REQUIRE_EQUAL(times, 1);
      BOOST_CHECK_EQUAL(strangers, 0);
      BOOST_CHECK_GE(workers, 1);
      BOOST_CHECK_LE(workers, std::min(threads, num_threads()));
    }
  });
}

BOOST_AUTO_TEST_CASE(takers_get_their_own_part_first_and_then_what_others_have_left) {
  detail::WorkShares shares(3, 7);  // 0 1, 2 3, 4 5 6
  for (const std::int64_t piece : {2, 3, 4, 5}) BOOST_CHECK_EQUAL(shares.take(1), piece);
  BOOST_CHECK_EQUAL(shares.take(0), 0);
  BOOST_CHECK_EQUAL(shares.take(2), 6);
  BOOST_CHECK_EQUAL(shares.take(2), 1);
  BOOST_CHECK_EQUAL(shares.take(0), -1);
  shares.share_out(4);
  BOOST_CHECK_EQUAL(shares.take(2), 2);
  shares.clear();
  for (const int taker : {0, 1, 2}) BOOST_CHECK_EQUAL(shares.take(taker), -1);
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
