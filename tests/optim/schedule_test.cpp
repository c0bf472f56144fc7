#include <evenkeel/core/error.h>
#include <evenkeel/optim/schedule.h>
#include <evenkeel/optim/sgd.h>

#include "support/check_gradients.h"
#include "support/golden.h"
#include "support/parameter_bag.h"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {
namespace {

using test::GoldenCase;

struct Problem {
  explicit Problem(double rate)
      : optimizer((bag.put("w", Tensor::zeros({1})), bag.parameters()), {.lr = rate}) {}
  double lr() const { return optimizer.groups()[0].lr; }

  test::ParameterBag bag;
  optim::SGD optimizer;
};

/// The case's schedule for a group of this base rate (our floors are shares of the base rate).
optim::ScheduleFunction make(const std::string& kind, const nlohmann::json& o, double base) {
  if (kind == "constant") return optim::constant_lr();
  if (kind == "step") return optim::step_lr({.step_size = o.at("step_size"), .gamma = o.at("gamma")});
  if (kind == "linear")
    return optim::linear_lr({.start_factor = o.at("start_factor"),
                             .end_factor = o.at("end_factor"),
                             .total_iters = o.at("total_iters")});
  if (kind == "cosine")
    return optim::cosine_annealing_lr(
        {.T_max = o.at("T_max"), .min_factor = o.at("eta_min").get<double>() / base});
  if (kind == "warmup_cosine")
    return optim::sequential_lr({make("linear", o.at("warmup"), base), make("cosine", o.at("cosine"), base)},
                                {o.at("milestone")});
  return optim::one_cycle_lr({.total_steps = o.at("total_steps"),
                              .pct_start = o.at("pct_start"),
                              .anneal_strategy = o.at("anneal_strategy") == "cos"
                                                     ? optim::AnnealStrategy::cos
                                                     : optim::AnnealStrategy::linear,
                              .div_factor = o.at("div_factor"),
                              .final_div_factor = o.at("final_div_factor"),
                              .three_phase = o.at("three_phase")});
}

optim::ReduceLROnPlateauOptions plateau_options(const nlohmann::json& o, double base) {
  return {.mode = o.at("mode") == "min" ? optim::PlateauMode::min : optim::PlateauMode::max,
          .factor = o.at("factor"),
          .patience = o.at("patience"),
          .threshold = o.at("threshold"),
          .threshold_mode =
              o.at("threshold_mode") == "rel" ? optim::ThresholdMode::rel : optim::ThresholdMode::abs,
          .cooldown = o.at("cooldown"),
          .min_factor = o.at("min_lr").get<double>() / base,
          .eps = o.at("eps").get<double>() / base};
}

std::vector<double> plateau_rates(const GoldenCase& golden, double base) {
  Problem problem(base);
  const Tensor metric = golden.get("metric");
  optim::ReduceLROnPlateau plateau(problem.optimizer, plateau_options(golden.options, base));
  std::vector<double> rates;
  for (int t = 0; t < 50; ++t) {
    rates.push_back(problem.lr());
    plateau.step(metric.data<double>()[t]);
  }
  return rates;
}

std::vector<double> scheduled_rates(const GoldenCase& golden, const std::string& kind, double base) {
  Problem problem(base);
  optim::LRScheduler scheduler(problem.optimizer, make(kind, golden.options, base));
  std::vector<double> rates;
  for (int t = 0; t < 50; ++t) {
    rates.push_back(problem.lr());
    if (t < 49) scheduler.step();
  }
  return rates;
}

BOOST_AUTO_TEST_SUITE(schedule_test)

BOOST_AUTO_TEST_CASE(fifty_rates_of_each_schedule_agree_with_pytorch) {
  int cases = 0;
  for (const GoldenCase& golden : test::read_golden("optim.h5")) {
    if (golden.op != "schedule") continue;
    ++cases;
    const std::string kind = golden.options.at("kind");
    const std::vector<double> bases = golden.options.at("base_lrs");
    for (std::size_t group = 0; group < bases.size(); ++group) {
      const std::vector<double> rates = kind == "plateau" ? plateau_rates(golden, bases[group])
                                                          : scheduled_rates(golden, kind, bases[group]);
      for (std::size_t t = 0; t < 50; ++t) {
        const double expected = golden.get("lr").data<double>()[t * bases.size() + group];
        BOOST_TEST(std::abs(rates[t] - expected) <= 1e-12 * bases[group],
                   golden.name << " step " << t << ": got " << rates[t] << ", expected " << expected);
      }
    }
  }
  BOOST_TEST(cases == 46);
}

BOOST_AUTO_TEST_CASE(a_schedule_multiplies_the_base_rate_of_each_group) {
  test::ParameterBag bag;
  bag.put("a", Tensor::zeros({1}));
  bag.put("b", Tensor::zeros({1}));
  const std::vector<nn::NamedParameter> all = bag.named_parameters();
  optim::SGD sgd({{.parameters = {all[0]}, .lr = 0.4}, {.parameters = {all[1]}}}, {.lr = 0.1});
  optim::LRScheduler scheduler(sgd, optim::step_lr({.step_size = 1, .gamma = 0.5}));
  scheduler.step();
  BOOST_TEST(sgd.groups()[0].lr == 0.2);
  BOOST_TEST(sgd.groups()[1].lr == 0.05);
  BOOST_TEST(sgd.groups()[0].base_lr == 0.4);
  BOOST_TEST(sgd.groups()[1].base_lr == 0.1);
}

BOOST_AUTO_TEST_CASE(schedules_of_one_optimiser_multiply_its_rate_for_as_long_as_they_live) {
  Problem problem(0.5);
  optim::LRScheduler steps(problem.optimizer, optim::step_lr({.step_size = 2, .gamma = 0.5}));
  {
    optim::LRScheduler warm_up(problem.optimizer, optim::linear_lr({.start_factor = 0.25, .total_iters = 3}));
    BOOST_TEST(problem.lr() == 0.5 * 0.25);
    warm_up.step();
    steps.step();
    BOOST_TEST(problem.lr() == 0.5 * 0.5);
    steps.step();
    BOOST_TEST(problem.lr() == 0.5 * 0.5 * 0.5);
    warm_up.step();
    BOOST_TEST(problem.lr() == 0.5 * 0.5 * 0.75);
  }
  steps.step();
  BOOST_TEST(problem.lr() == 0.5 * 0.5);
  optim::ReduceLROnPlateau plateau(problem.optimizer, {.factor = 0.1, .patience = 0});
  for (int i = 0; i < 2; ++i) plateau.step(1);
  BOOST_TEST(plateau.factor() == 0.1);
  BOOST_TEST(problem.lr() == 0.5 * (0.5 * 0.1));
}

BOOST_AUTO_TEST_CASE(a_loaded_schedule_goes_on_where_the_saved_one_was) {
  const auto cosine = optim::cosine_annealing_lr({.T_max = 20, .min_factor = 0.1});
  Problem one(0.1), other(0.1);
  optim::LRScheduler scheduler(one.optimizer, cosine), loaded(other.optimizer, cosine);
  for (int i = 0; i < 7; ++i) scheduler.step();
  loaded.load_state(scheduler.state());
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(one.lr() == other.lr());
    scheduler.step();
    loaded.step();
  }
  BOOST_CHECK_THROW(loaded.load_state({}), ConfigError);
}

BOOST_AUTO_TEST_CASE(a_loaded_plateau_goes_on_where_the_saved_one_was) {
  Problem one(0.1), other(0.1);
  const optim::ReduceLROnPlateauOptions options{.factor = 0.5, .patience = 2, .cooldown = 3};
  optim::ReduceLROnPlateau plateau(one.optimizer, options), loaded(other.optimizer, options);
  for (int i = 0; i < 5; ++i) plateau.step(1 + 0.01 * i);
  loaded.load_state(plateau.state());
  BOOST_TEST(one.lr() < 0.1);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(one.lr() == other.lr());
    plateau.step(1);
    loaded.step(1);
  }
}

BOOST_AUTO_TEST_CASE(impossible_options_are_refused) {
  Problem problem(0.1);
  BOOST_CHECK_THROW(optim::step_lr({.step_size = 0}), ConfigError);
  BOOST_CHECK_THROW(optim::linear_lr({.total_iters = 0}), ConfigError);
  BOOST_CHECK_THROW(optim::cosine_annealing_lr({.T_max = 0}), ConfigError);
  BOOST_CHECK_THROW(optim::one_cycle_lr({.total_steps = 0}), ConfigError);
  BOOST_CHECK_THROW(optim::one_cycle_lr({.total_steps = 10, .pct_start = 1.5}), ConfigError);
  BOOST_CHECK_THROW(optim::one_cycle_lr({.total_steps = 10})(10), ValueError);
  BOOST_CHECK_THROW(optim::sequential_lr({optim::constant_lr()}, {3}), ConfigError);
  BOOST_CHECK_THROW(optim::ReduceLROnPlateau(problem.optimizer, {.factor = 1}), ConfigError);
  BOOST_CHECK_THROW(optim::ReduceLROnPlateau(problem.optimizer).step(std::nan("")), ValueError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
