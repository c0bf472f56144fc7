#include <evenkeel/analysis/sweep.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "support/temp_folder.h"

using namespace evenkeel;
using analysis::sweep;
using analysis::SweepResult;
using analysis::SweepRun;

namespace {

struct ThreadsScope {
  explicit ThreadsScope(int threads) : before(num_threads()) { set_num_threads(threads); }
  ~ThreadsScope() { set_num_threads(before); }
  int before;
};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// Any function that differs from run to run.
double loss_of(const SweepRun& run) {
  return std::abs(std::log2(run.rate) + std::log2(static_cast<double>(run.width))) + 1 +
         1e-3 * static_cast<double>(run.seed) + (run.family == "a" ? 0 : 0.1);
}

std::vector<SweepRun> make_runs() {
  auto runs = analysis::sweep_grid("a", {4, 8}, {0.125, 0.25, 0.5}, 2);
  const auto more = analysis::sweep_grid("b", {4}, {0.25}, 2);
  runs.insert(runs.end(), more.begin(), more.end());
  return runs;
}

void check_results(const std::vector<SweepRun>& runs, const std::vector<SweepResult>& results) {
  BOOST_REQUIRE_EQUAL(results.size(), runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    BOOST_TEST((results[i].run == runs[i]));
    BOOST_TEST(results[i].loss == loss_of(runs[i]));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep_test)

BOOST_AUTO_TEST_CASE(grid_has_every_combination_once_the_widest_first) {
  const auto runs = analysis::sweep_grid("a", {4, 16, 8}, {0.5, 0.25}, 3);
  BOOST_REQUIRE_EQUAL(runs.size(), 18U);
  BOOST_TEST(runs.front().width == 16);
  BOOST_TEST(runs.back().width == 4);
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) BOOST_TEST(!(runs[i] == runs[k]));
}

BOOST_AUTO_TEST_CASE(every_run_is_trained_once_and_gets_a_line) {
  const test::TempFolder folder;
  const auto runs = make_runs();
  std::atomic<int> calls = 0;
  const auto results = sweep(runs, [&](const SweepRun& run) { return ++calls, loss_of(run); },
                             {.path = folder / "s.jsonl", .setup = "one", .show_progress = false});
  check_results(runs, results);
  BOOST_TEST(calls == static_cast<int>(runs.size()));
  const auto lines = lines_of(folder / "s.jsonl");
  BOOST_TEST(lines.size() == runs.size() + 1);
  BOOST_TEST(lines.front() == R"({"setup":"one"})");
}

BOOST_AUTO_TEST_CASE(a_finished_sweep_is_read_back_to_the_bit_and_trains_nothing) {
  const test::TempFolder folder;
  const auto runs = analysis::sweep_grid("a", {4}, {0.1, 0.3, 1e-7}, 3);
  const auto train = [](const SweepRun& run) {
    return std::sin(run.rate * 77 + static_cast<double>(run.seed)) / 3;
  };
  const auto first = sweep(runs, train, {.path = folder / "s.jsonl", .show_progress = false});
  const auto second = sweep(runs, [](const SweepRun&) -> double { throw std::logic_error("trained again"); },
                            {.path = folder / "s.jsonl", .show_progress = false});
  for (std::size_t i = 0; i < runs.size(); ++i) BOOST_TEST(first[i].loss == second[i].loss);
}

BOOST_AUTO_TEST_CASE(a_sweep_that_was_killed_goes_on_without_a_run_lost_or_twice) {
  const test::TempFolder folder;
  const auto runs = make_runs();
  const std::string path = folder / "s.jsonl", starts = folder / "starts";
  std::size_t before = 0;
  {
    const ThreadsScope single(1);  // no pool to be missing in the child
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      set_num_threads(2);
      sweep(runs,
            [&](const SweepRun& run) {
              std::this_thread::sleep_for(std::chrono::milliseconds(50));
              return loss_of(run);
            },
            {.path = path, .show_progress = false});
      std::_Exit(0);
    }
    while (std::filesystem::exists(path) ? lines_of(path).size() < 4 : true)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_REQUIRE(WIFSIGNALED(status));
    before = lines_of(path).size() - 1;
    BOOST_REQUIRE(before >= 3U);
    BOOST_REQUIRE(before < runs.size());
  }
  std::atomic<std::size_t> calls = 0;
  const auto results = sweep(runs, [&](const SweepRun& run) { return ++calls, loss_of(run); },
                             {.path = path, .show_progress = false});
  check_results(runs, results);
  BOOST_TEST(calls == runs.size() - before);
  BOOST_TEST(lines_of(path).size() == runs.size() + 1);
}

BOOST_AUTO_TEST_CASE(a_torn_last_line_is_dropped_and_its_run_trained_again) {
  const test::TempFolder folder;
  const std::string path = folder / "s.jsonl";
  const auto runs = make_runs();
  const auto train = [](const SweepRun& run) { return loss_of(run); };
  const ThreadsScope single(1);
  sweep(runs, train, {.path = path, .show_progress = false});
  const std::string whole = text_of(path);
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (const std::size_t kept : {last + 1, last + 20, whole.size() - 1}) {
    std::ofstream(path) << whole.substr(0, kept);
    std::vector<SweepRun> trained;
    const auto results =
        sweep(runs, [&](const SweepRun& run) { return trained.push_back(run), loss_of(run); },
              {.path = path, .show_progress = false});
    check_results(runs, results);
    BOOST_REQUIRE_EQUAL(trained.size(), 1U);
    BOOST_TEST((trained.front() == runs.back()));
    BOOST_TEST(lines_of(path).size() == runs.size() + 1);
  }
}

BOOST_AUTO_TEST_CASE(a_file_torn_in_its_first_line_starts_anew) {
  const test::TempFolder folder;
  std::ofstream(folder / "s.jsonl") << R"({"setup)";
  const auto runs = make_runs();
  check_results(runs, sweep(runs, loss_of, {.path = folder / "s.jsonl", .show_progress = false}));
}

BOOST_AUTO_TEST_CASE(a_file_that_no_sweep_wrote_is_refused_and_kept) {
  const test::TempFolder folder;
  const std::string path = folder / "s.jsonl";
  for (const std::string text : {"hello\n", "{\"setup\":\"\"}\n{\"width\":3}\n", "{\"setup\":\"\"}\n\n"}) {
    std::ofstream(path) << text;
    BOOST_CHECK_THROW(sweep(make_runs(), loss_of, {.path = path, .show_progress = false}), FileError);
    BOOST_TEST(text_of(path) == text);
  }
  BOOST_CHECK_THROW(sweep({}, loss_of, {.path = folder / "no/s.jsonl", .show_progress = false}), FileError);
}

BOOST_AUTO_TEST_CASE(another_setup_is_refused) {
  const test::TempFolder folder;
  const std::string path = folder / "s.jsonl";
  sweep(make_runs(), loss_of, {.path = path, .setup = "100 steps", .show_progress = false});
  BOOST_CHECK_THROW(sweep(make_runs(), loss_of, {.path = path, .setup = "200 steps", .show_progress = false}),
                    ConfigError);
}

BOOST_AUTO_TEST_CASE(two_sweeps_cannot_write_one_file) {
  const test::TempFolder folder;
  const int other = ::open((folder / "s.jsonl").c_str(), O_RDWR | O_CREAT, 0644);
  BOOST_REQUIRE(::flock(other, LOCK_EX) == 0);
  BOOST_CHECK_THROW(sweep(make_runs(), loss_of, {.path = folder / "s.jsonl", .show_progress = false}),
                    FileError);
  ::close(other);
}

BOOST_AUTO_TEST_CASE(a_run_twice_is_refused) {
  const test::TempFolder folder;
  auto runs = make_runs();
  runs.push_back(runs[2]);
  BOOST_CHECK_THROW(sweep(runs, loss_of, {.path = folder / "s.jsonl", .show_progress = false}), ConfigError);
}

BOOST_AUTO_TEST_CASE(what_a_run_throws_ends_the_sweep_and_finished_runs_stay) {
  const test::TempFolder folder;
  const std::string path = folder / "s.jsonl";
  const auto runs = make_runs();
  const ThreadsScope single(1);
  BOOST_CHECK_THROW(sweep(runs,
                          [&](const SweepRun& run) {
                            if (run == runs[3]) throw std::logic_error("broken");
                            return loss_of(run);
                          },
                          {.path = path, .show_progress = false}),
                    std::logic_error);
  BOOST_TEST(lines_of(path).size() == 4U);
}

BOOST_AUTO_TEST_CASE(runs_go_side_by_side_with_the_same_results) {
  const auto train = [](const SweepRun& run) {
    Rng rng(run.seed);
    double sum = 0;
    for (int i = 0; i < 1000; ++i) sum += rng.normal() * run.rate;
    return sum;
  };
  std::vector<std::vector<SweepResult>> all;
  for (const int threads : {1, 4}) {
    const test::TempFolder folder;
    const ThreadsScope scope(threads);
    std::atomic<int> running = 0, most = 0;
    all.push_back(sweep(make_runs(),
                        [&](const SweepRun& run) {
                          const int now = ++running;
                          int seen = most;
                          while (seen < now && !most.compare_exchange_weak(seen, now)) {
                          }
                          std::this_thread::sleep_for(std::chrono::milliseconds(30));
                          --running;
                          return train(run);
                        },
                        {.path = folder / "s.jsonl", .show_progress = false}));
    BOOST_TEST((threads == 1 ? most == 1 : most > 1));
  }
  for (std::size_t i = 0; i < all[0].size(); ++i) BOOST_TEST(all[0][i].loss == all[1][i].loss);
}

BOOST_AUTO_TEST_CASE(divergence_is_kept_as_nan_and_never_best) {
  const test::TempFolder folder;
  const auto runs = analysis::sweep_grid("a", {4}, {0.5, 1}, 2);
  const auto train = [](const SweepRun& run) {
    return run.rate == 1 && run.seed == 1 ? std::nan("") : 2 - run.rate;
  };
  sweep(runs, train, {.path = folder / "s.jsonl", .show_progress = false});
  const auto results = sweep(runs, train, {.path = folder / "s.jsonl", .show_progress = false});
  BOOST_TEST(std::isnan(analysis::sweep_loss(results, "a", 4, 1)));
  BOOST_TEST(analysis::best_rate(results, "a", 4) == 0.5);
  BOOST_TEST(analysis::sweep_table(results).find("diverged") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(best_rates_and_their_shift_are_those_of_the_mean_over_seeds) {
  const test::TempFolder folder;
  const auto results = sweep(make_runs(), loss_of, {.path = folder / "s.jsonl", .show_progress = false});
  BOOST_TEST(analysis::sweep_loss(results, "a", 4, 0.5) == 2.0005, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(analysis::best_rate(results, "a", 4) == 0.25);
  BOOST_TEST(analysis::best_rate(results, "a", 8) == 0.125);
  BOOST_TEST(analysis::best_rate_shift(results, "a") == 1);
  BOOST_TEST(analysis::best_rate_shift(results, "b") == 0);
  BOOST_CHECK_THROW(analysis::best_rate_shift(results, "c"), ConfigError);
  BOOST_CHECK_THROW(analysis::best_rate(results, "a", 16), ConfigError);
  BOOST_CHECK_THROW(analysis::sweep_loss(results, "a", 4, 0.3), ConfigError);
}

BOOST_AUTO_TEST_CASE(table_and_chart_show_every_width_and_rate) {
  const test::TempFolder folder;
  const auto results = sweep(make_runs(), loss_of, {.path = folder / "s.jsonl", .show_progress = false});
  const std::string table = analysis::sweep_table(results);
  for (const char* part : {"a: final loss", "b: final loss", "2^-3", "2^-2", "2^-1", "1.0005*", "2.0005 "})
    BOOST_TEST(table.find(part) != std::string::npos, part << " in\n" << table);
  const std::string svg = analysis::sweep_svg(results);
  for (const char* part : {">a<", ">b<", ">width 4<", ">width 8<", "log2 of the learning rate"})
    BOOST_TEST(svg.find(part) != std::string::npos, part);
}

BOOST_AUTO_TEST_SUITE_END()
