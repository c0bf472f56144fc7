#include <evenkeel/analysis/sweep.h>
#include <evenkeel/analysis/sweep_log.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/report/progress.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>

namespace evenkeel::analysis {

namespace {

std::string str(const SweepRun& run) {
  return run.family + ", width " + std::to_string(run.width) + ", rate " + std::to_string(run.rate) +
         ", seed " + std::to_string(run.seed);
}

SweepResult train_one(const TrainFunction& train, const SweepRun& run) {
  const auto start = std::chrono::steady_clock::now();
  const double loss = train(run);
  return {run, loss, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace

std::vector<SweepRun> sweep_grid(const std::string& family, std::vector<std::int64_t> widths,
                                 const std::vector<double>& rates, int seeds) {
  std::sort(widths.begin(), widths.end(), std::greater<>());
  std::vector<SweepRun> runs;
  for (const std::int64_t width : widths)
    for (const double rate : rates)
      for (int seed = 0; seed < seeds; ++seed)
        runs.push_back({family, width, rate, static_cast<std::uint64_t>(seed)});
  return runs;
}

std::vector<SweepResult> sweep(const std::vector<SweepRun>& runs, const TrainFunction& train,
                               const SweepOptions& options) {
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (std::find(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(i), runs[i]) !=
        runs.begin() + static_cast<std::ptrdiff_t>(i))
      throw ConfigError("[sweep] expected each run once, got twice: " + str(runs[i]));
  detail::SweepLog log(options.path, options.setup);
  std::vector<std::optional<SweepResult>> results(runs.size());
  for (const SweepResult& result : log.finished())
    if (const auto found = std::find(runs.begin(), runs.end(), result.run); found != runs.end())
      results[static_cast<std::size_t>(found - runs.begin())] = result;
  std::vector<std::size_t> pending;
  for (std::size_t i = 0; i < runs.size(); ++i)
    if (!results[i]) pending.push_back(i);

  std::mutex mutex;
  auto done = static_cast<std::int64_t>(runs.size() - pending.size());
  report::Progress progress(
      {.label = "sweep",
       .total = static_cast<std::int64_t>(runs.size()),
       .initial = done,
       .unit = "runs",
       .mode = options.show_progress ? report::ProgressMode::automatic : report::ProgressMode::quiet});
  evenkeel::detail::parallel_for(static_cast<std::int64_t>(pending.size()), [&](std::int64_t piece) {
    const std::size_t index = pending[static_cast<std::size_t>(piece)];
    const SweepResult result = train_one(train, runs[index]);
    log.append(result);
    const std::lock_guard lock(mutex);
    results[index] = result;
    progress.update(++done, str(result.run) + ": loss " + std::to_string(result.loss));
  });
  progress.finish();
  std::vector<SweepResult> all;
  all.reserve(results.size());
  for (const auto& result : results) all.push_back(*result);
  return all;
}

}  // namespace evenkeel::analysis
