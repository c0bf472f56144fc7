#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace evenkeel::analysis {

/// One training run of a sweep.
struct SweepRun {
  std::string family;  ///< of nets that differ in width only: "standard", "u-muP"
  std::int64_t width = 0;
  double rate = 0;  ///< learning rate
  std::uint64_t seed = 0;
  bool operator==(const SweepRun&) const = default;
};

struct SweepResult {
  SweepRun run;
  double loss = 0;  ///< final loss; NaN if the run diverged
  double seconds = 0;
};

/// Trains and returns the final loss. Called on several threads at once, so runs share nothing that changes.
using TrainFunction = std::function<double(const SweepRun&)>;

/// All combinations, the widest first: the longest runs, begun last, would leave cores idle.
std::vector<SweepRun> sweep_grid(const std::string& family, std::vector<std::int64_t> widths,
                                 const std::vector<double>& rates, int seeds);

struct SweepOptions {
  std::string path;        ///< JSONL: a line that holds `setup`, then a line for each finished run
  std::string setup = {};  ///< all that decides a run beside the run; a file with another is not gone on with
  bool show_progress = true;
};

/// Trains all `runs` that the file does not hold yet, as many at a time as there are threads (num_threads()),
/// each on one thread, and returns all results in the order of `runs`. A run's line is on the disk before the
/// next run of its thread begins; a sweep that was killed goes on where it was. The bits of a result do not
/// depend on the number of threads. ConfigError for a run twice or another setup, FileError if the file
/// cannot be read or written, is in use by another sweep, or holds a line that no sweep wrote (a torn last
/// line is dropped); what `train` throws ends the sweep.
std::vector<SweepResult> sweep(const std::vector<SweepRun>& runs, const TrainFunction& train,
                               const SweepOptions& options);

/// Loss by width and rate, as a table a family: mean over the seeds, the best of each width marked.
std::string sweep_table(const std::vector<SweepResult>& results);
/// Loss against log2 of the rate: a panel a family, a curve a width, means over the seeds.
std::string sweep_svg(const std::vector<SweepResult>& results);

/// Mean loss over the seeds: NaN if one diverged. ConfigError if there is no such run.
double sweep_loss(const std::vector<SweepResult>& results, const std::string& family, std::int64_t width,
                  double rate);
/// The rate of the smallest mean loss. ConfigError if there is none.
double best_rate(const std::vector<SweepResult>& results, const std::string& family, std::int64_t width);
/// Octaves between the best rates of the narrowest and of the widest net.
double best_rate_shift(const std::vector<SweepResult>& results, const std::string& family);

}  // namespace evenkeel::analysis
