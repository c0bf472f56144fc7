#include <evenkeel/core/error.h>
#include <evenkeel/optim/schedule.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace evenkeel::optim {

namespace {

void require_positive(const char* op, const char* option, std::int64_t value) {
  if (value < 1) throw ConfigError(fmt::format("[{}] expected {} of at least 1, got {}", op, option, value));
}

/// From `from` to `to` as `share` goes from 0 to 1.
double anneal(AnnealStrategy strategy, double from, double to, double share) {
  if (strategy == AnnealStrategy::linear) return from + (to - from) * share;
  return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace

ScheduleFunction constant_lr() {
  return [](std::int64_t) { return 1.0; };
}

ScheduleFunction step_lr(const StepLROptions& options) {
  require_positive("step_lr", "step_size", options.step_size);
  return [options](std::int64_t step) {
    return std::pow(options.gamma, static_cast<double>(step / options.step_size));
  };
}

ScheduleFunction linear_lr(const LinearLROptions& options) {
  require_positive("linear_lr", "total_iters", options.total_iters);
  return [options](std::int64_t step) {
    const double share =
        static_cast<double>(std::min(step, options.total_iters)) / static_cast<double>(options.total_iters);
    return anneal(AnnealStrategy::linear, options.start_factor, options.end_factor, share);
  };
}

ScheduleFunction cosine_annealing_lr(const CosineAnnealingLROptions& options) {
  require_positive("cosine_annealing_lr", "T_max", options.T_max);
  return [options](std::int64_t step) {
    return anneal(AnnealStrategy::cos, 1, options.min_factor,
                  static_cast<double>(step) / static_cast<double>(options.T_max));
  };
}

ScheduleFunction one_cycle_lr(const OneCycleLROptions& options) {
  require_positive("one_cycle_lr", "total_steps", options.total_steps);
  if (!(options.pct_start >= 0 && options.pct_start <= 1) || !(options.div_factor > 0) ||
      !(options.final_div_factor > 0))
    throw ConfigError("[one_cycle_lr] expected pct_start in 0 … 1 and positive div_factor, final_div_factor");
  const double first = 1 / options.div_factor, last = first / options.final_div_factor;
  const auto total = static_cast<double>(options.total_steps), rise = options.pct_start * total;
  struct Phase {
    double end, from, to;
  };
  std::vector<Phase> phases{{rise - 1, first, 1}};
  if (options.three_phase) phases.push_back({2 * rise - 2, 1, first});
  phases.push_back({total - 1, options.three_phase ? first : 1, last});
  return [=, strategy = options.anneal_strategy](std::int64_t step) {
    if (static_cast<double>(step) > total - 1)
      throw ValueError(fmt::format("[one_cycle_lr] expected at most {} steps, got step {}", total, step + 1));
    double begin = 0;
    for (const Phase& phase : phases) {
      const double at = static_cast<double>(step);
      if (at <= phase.end || &phase == &phases.back())
        return anneal(strategy, phase.from, phase.to,
                      phase.end == begin ? 1 : (at - begin) / (phase.end - begin));
      begin = phase.end;
    }
    return last;
  };
}

ScheduleFunction sequential_lr(std::vector<ScheduleFunction> parts, std::vector<std::int64_t> milestones) {
  if (parts.size() != milestones.size() + 1 || !std::is_sorted(milestones.begin(), milestones.end()))
    throw ConfigError(
        fmt::format("[sequential_lr] expected rising milestones, one less than the {} parts, got {}",
                    parts.size(), milestones.size()));
  return [parts = std::move(parts), milestones = std::move(milestones)](std::int64_t step) {
    const auto next = std::upper_bound(milestones.begin(), milestones.end(), step);
    const std::int64_t begin = next == milestones.begin() ? 0 : *(next - 1);
    return parts[static_cast<std::size_t>(next - milestones.begin())](step - begin);
  };
}

LRScheduler::LRScheduler(Optimizer& optimizer, ScheduleFunction function)
    : function_(std::move(function)), factor_(optimizer) {
  factor_.set(function_(0));
}

void LRScheduler::step() {
  ++steps_;
  factor_.set(function_(steps_));
}

StateDict LRScheduler::state() const {
  StateDict state;
  detail::put(state, "steps", steps_);
  return state;
}

void LRScheduler::load_state(const StateDict& state) {
  steps_ = detail::get_count(state, "steps");
  factor_.set(function_(steps_));
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options)
    : options_(options), factor_(optimizer), best_(options.mode == PlateauMode::min ? HUGE_VAL : -HUGE_VAL) {
  detail::check_range("ReduceLROnPlateau", "factor", options.factor, 0, 1);
}

bool ReduceLROnPlateau::is_better(double metric) const {
  const double sign = options_.mode == PlateauMode::min ? -1 : 1;
  if (options_.threshold_mode == ThresholdMode::abs)
    return sign * metric > sign * (best_ + sign * options_.threshold);
  return sign * metric > sign * (best_ * (1 + sign * options_.threshold));
}

void ReduceLROnPlateau::step(double metric) {
  if (std::isnan(metric)) throw ValueError("[ReduceLROnPlateau] expected a number as metric, got NaN");
  if (is_better(metric)) {
    best_ = metric;
    bad_steps_ = 0;
  } else {
    ++bad_steps_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_steps_ = 0;
  }
  if (bad_steps_ <= options_.patience) return;
  cooldown_left_ = options_.cooldown;
  bad_steps_ = 0;
  const double reduced = std::max(factor() * options_.factor, options_.min_factor);
  if (factor() - reduced > options_.eps) factor_.set(reduced);
}

StateDict ReduceLROnPlateau::state() const {
  StateDict state;
  detail::put(state, "factor", factor());
  detail::put(state, "best", best_);
  detail::put(state, "bad_steps", bad_steps_);
  detail::put(state, "cooldown_left", cooldown_left_);
  return state;
}

void ReduceLROnPlateau::load_state(const StateDict& state) {
  const double factor = detail::get_number(state, "factor"), best = detail::get_number(state, "best");
  const std::int64_t bad = detail::get_count(state, "bad_steps");
  cooldown_left_ = detail::get_count(state, "cooldown_left");
  best_ = best;
  bad_steps_ = bad;
  factor_.set(factor);
}

}  // namespace evenkeel::optim
