#pragma once

#include <evenkeel/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace evenkeel::optim {

/// Learning rate as a factor of each group's base rate, by the number of steps done. A function of its
/// argument alone, so that resuming needs the number only.
using ScheduleFunction = std::function<double(std::int64_t step)>;

ScheduleFunction constant_lr();

struct StepLROptions {
  std::int64_t step_size = 1;  ///< steps between two decays
  double gamma = 0.1;
};
/// gamma^⌊step / step_size⌋.
ScheduleFunction step_lr(const StepLROptions& options);

struct LinearLROptions {
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  std::int64_t total_iters = 5;
};
/// A straight line from start_factor to end_factor in total_iters steps, then end_factor: a warm-up.
ScheduleFunction linear_lr(const LinearLROptions& options);

struct CosineAnnealingLROptions {
  std::int64_t T_max = 1;
  double min_factor = 0;  ///< PyTorch's eta_min / base rate
};
/// Half a cosine from 1 at step 0 to min_factor at T_max (arXiv 1608.03983); beyond, it rises again, as in
/// PyTorch.
ScheduleFunction cosine_annealing_lr(const CosineAnnealingLROptions& options);

enum class AnnealStrategy { cos, linear };
struct OneCycleLROptions {
  std::int64_t total_steps = 0;
  double pct_start = 0.3;  ///< share of the steps that the rise takes
  AnnealStrategy anneal_strategy = AnnealStrategy::cos;
  double div_factor = 25;         ///< top rate / first rate
  double final_div_factor = 1e4;  ///< first rate / last rate
  bool three_phase = false;       ///< fall back to the first rate as fast as it rose, then to the last
};
/// Rise to the base rate, which is the top of the cycle (PyTorch's max_lr), then fall (arXiv 1708.07120).
/// ValueError when asked beyond total_steps.
ScheduleFunction one_cycle_lr(const OneCycleLROptions& options);

/// parts[i] from step milestones[i-1] on, each counting from 0 again; one milestone less than parts.
ScheduleFunction sequential_lr(std::vector<ScheduleFunction> parts, std::vector<std::int64_t> milestones);

/// Multiplies an optimiser's rates by a ScheduleFunction; by several, if several drive one optimiser.
class LRScheduler {
 public:
  /// Sets the rates of step 0. `optimizer` must outlive the scheduler.
  LRScheduler(Optimizer& optimizer, ScheduleFunction function);

  /// To be called after each optimizer.step().
  void step();
  std::int64_t steps() const { return steps_; }
  double factor() const { return factor_.value(); }

  StateDict state() const;
  void load_state(const StateDict& state);

 private:
  ScheduleFunction function_;
  LrFactor factor_;
  std::int64_t steps_ = 0;
};

enum class PlateauMode { min, max };
enum class ThresholdMode { rel, abs };
struct ReduceLROnPlateauOptions {
  PlateauMode mode = PlateauMode::min;  ///< whether a small or a large metric is good
  double factor = 0.1;
  std::int64_t patience = 10;  ///< steps without progress that are borne
  double threshold = 1e-4;     ///< smallest change that counts as progress
  ThresholdMode threshold_mode = ThresholdMode::rel;
  std::int64_t cooldown = 0;  ///< steps after a reduction that do not count
  double min_factor = 0;      ///< PyTorch's min_lr / base rate
  double eps = 1e-8;          ///< reductions of the factor that are smaller are not made
};

/// Multiplies all rates by `factor` when the metric has stopped getting better.
class ReduceLROnPlateau {
 public:
  /// ConfigError unless 0 ≤ options.factor < 1. `optimizer` must outlive this.
  explicit ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});

  /// ValueError for a metric that is NaN.
  void step(double metric);
  double factor() const { return factor_.value(); }

  StateDict state() const;
  void load_state(const StateDict& state);

 private:
  bool is_better(double metric) const;

  ReduceLROnPlateauOptions options_;
  LrFactor factor_;
  double best_;
  std::int64_t bad_steps_ = 0, cooldown_left_ = 0;
};

}  // namespace evenkeel::optim
