#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/sgd.h>

#include "support/check_gradients.h"
#include "support/parameter_bag.h"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {
namespace {

using optim::ParamGroup;
using test::ParameterBag;

bool names(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

/// One parameter "w" of value 1, of which every step sees the gradient 0.5, 1.0, 1.5, ….
template <class O, class Options>
double after_steps(const Options& options, int steps = 3) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({1}, DType::f64));
  O optimizer(bag.named_parameters(), options);
  for (int t = 1; t <= steps; ++t) {
    w.set_grad(Tensor::full({1}, (t % 2 ? 0.5 : -0.2) * t, DType::f64));
    optimizer.step();
  }
  return w.item();
}

nn::Sequential small_net(std::uint64_t seed) {
  Rng rng(seed);
  return nn::Sequential(nn::Linear({.in_features = 3, .out_features = 4, .dtype = DType::f64}, rng),
                        nn::Linear({.in_features = 4, .out_features = 1, .dtype = DType::f64}, rng));
}

Tensor loss_of(nn::Module& net, const Tensor& x) {
  const Tensor y = net(x);
  return mean(y * y);
}

BOOST_AUTO_TEST_SUITE(optimizer_test)

BOOST_AUTO_TEST_CASE(every_option_of_sgd_changes_the_steps) {
  using optim::SGD;
  using Options = optim::SGDOptions;
  const double plain = after_steps<SGD>(Options{});
  const double momentum = after_steps<SGD>(Options{.momentum = 0.9});
  BOOST_TEST(after_steps<SGD>(Options{.lr = 2e-3}) != plain);
  BOOST_TEST(after_steps<SGD>(Options{.weight_decay = 0.1}) != plain);
  BOOST_TEST(momentum != plain);
  BOOST_TEST(after_steps<SGD>(Options{.momentum = 0.9, .dampening = 0.1}) != momentum);
  BOOST_TEST(after_steps<SGD>(Options{.momentum = 0.9, .nesterov = true}) != momentum);
}

template <class O, class Options>
void check_adam_options() {
  const double plain = after_steps<O>(Options{});
  BOOST_TEST(after_steps<O>(Options{.lr = 2e-3}) != plain);
  BOOST_TEST(after_steps<O>(Options{.betas = {0.8, 0.999}}) != plain);
  BOOST_TEST(after_steps<O>(Options{.betas = {0.9, 0.99}}) != plain);
  BOOST_TEST(after_steps<O>(Options{.eps = 1e-3}) != plain);
  BOOST_TEST(after_steps<O>(Options{.weight_decay = 0.3}) != plain);
  BOOST_TEST(after_steps<O>(Options{.betas = {0.9, 0.1}, .amsgrad = true}, 6) !=
             after_steps<O>(Options{.betas = {0.9, 0.1}}, 6));
}

BOOST_AUTO_TEST_CASE(every_option_of_adam_and_adamw_changes_the_steps) {
  check_adam_options<optim::Adam, optim::AdamOptions>();
  check_adam_options<optim::AdamW, optim::AdamWOptions>();
}

BOOST_AUTO_TEST_CASE(a_step_uses_the_gradients_and_clears_them) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({2}));
  optim::SGD sgd(bag.parameters(), {.lr = 0.5});
  w.set_grad(Tensor::from({1.f, 2.f}, {2}));
  sgd.step();
  BOOST_TEST(w.to_vector<float>() == std::vector<float>({0.5f, 0.f}));
  BOOST_TEST(!w.grad().defined());
}

BOOST_AUTO_TEST_CASE(a_parameter_without_a_gradient_is_an_error_that_names_it_and_changes_nothing) {
  ParameterBag bag;
  Tensor used = bag.put("used", Tensor::ones({1}));
  bag.put("forgotten", Tensor::ones({1}));
  optim::Adam adam(bag.named_parameters());
  used.set_grad(Tensor::ones({1}));
  BOOST_CHECK_EXCEPTION(adam.step(), GradError, [](const Error& e) { return names(e, "\"forgotten\""); });
  BOOST_TEST(used.item() == 1);
  BOOST_TEST(used.grad().defined());
  optim::SGD by_number(bag.parameters());
  BOOST_CHECK_EXCEPTION(by_number.step(), GradError, [](const Error& e) { return names(e, "\"1\""); });
}

BOOST_AUTO_TEST_CASE(frozen_parameters_are_passed_over) {
  ParameterBag bag;
  Tensor moving = bag.put("moving", Tensor::ones({1}));
  Tensor still = bag.put("still", Tensor::ones({1}));
  still.set_requires_grad(false);
  optim::AdamW adam(bag.named_parameters(), {.weight_decay = 0.5});
  moving.set_grad(Tensor::ones({1}));
  adam.step();
  BOOST_TEST(moving.item() < 1);
  BOOST_TEST(still.item() == 1);
}

BOOST_AUTO_TEST_CASE(zero_grad_clears_all_gradients) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({1}));
  optim::SGD sgd(bag.parameters());
  w.set_grad(Tensor::ones({1}));
  sgd.zero_grad();
  BOOST_TEST(!w.grad().defined());
}

BOOST_AUTO_TEST_CASE(a_group_has_its_own_rate_and_decay) {
  ParameterBag bag;
  Tensor a = bag.put("a", Tensor::ones({1}, DType::f64)), b = bag.put("b", Tensor::ones({1}, DType::f64));
  const std::vector<nn::NamedParameter> all = bag.named_parameters();
  optim::SGD sgd({ParamGroup{.parameters = {all[0]}, .lr = 0.5},
                  ParamGroup{.parameters = {all[1]}, .weight_decay = 0.0}},
                 {.lr = 0.1, .weight_decay = 1});
  a.set_grad(Tensor::full({1}, 0.2, DType::f64));
  b.set_grad(Tensor::full({1}, 0.2, DType::f64));
  sgd.step();
  BOOST_TEST(a.item() == 1 - 0.5 * 1.2, boost::test_tools::tolerance(1e-15));
  BOOST_TEST(b.item() == 1 - 0.1 * 0.2, boost::test_tools::tolerance(1e-15));
}

BOOST_AUTO_TEST_CASE(a_parameter_has_its_own_scale_and_decay_can_be_free_of_the_rate) {
  ParameterBag bag;
  Tensor a = bag.put("a", Tensor::ones({1}, DType::f64)), b = bag.put("b", Tensor::ones({1}, DType::f64));
  const auto scale = [](const nn::NamedParameter& p, optim::StepRule) { return p.name == "a" ? 0.25 : 0.0; };
  optim::SGD sgd(ParamGroup{.parameters = bag.named_parameters(),
                            .weight_decay = 0.01,
                            .lr_scale = scale,
                            .independent_weight_decay = true},
                 {.lr = 0.1});
  a.set_grad(Tensor::ones({1}, DType::f64));
  b.set_grad(Tensor::ones({1}, DType::f64));
  optim::LrFactor(sgd).set(0.5);
  sgd.step();
  BOOST_TEST(a.item() == 1 - 0.5 * (0.1 * 0.25 * 1 + 0.01), boost::test_tools::tolerance(1e-15));
  BOOST_TEST(b.item() == 1);  // a rate of 0 stands still: no division by it
}

BOOST_AUTO_TEST_CASE(impossible_options_are_refused) {
  ParameterBag bag;
  bag.put("w", Tensor::ones({1}));
  const auto all = bag.named_parameters();
  using optim::AdamW;
  using optim::SGD;
  BOOST_CHECK_THROW(SGD(all, {.lr = -1}), ConfigError);
  BOOST_CHECK_THROW(SGD(all, {.lr = NAN}), ConfigError);
  BOOST_CHECK_THROW(SGD(all, {.momentum = -0.1}), ConfigError);
  BOOST_CHECK_THROW(SGD(all, {.weight_decay = -0.1}), ConfigError);
  BOOST_CHECK_THROW(SGD(all, {.nesterov = true}), ConfigError);
  BOOST_CHECK_THROW(SGD(all, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ConfigError);
  BOOST_CHECK_THROW(AdamW(all, {.betas = {1, 0.9}}), ConfigError);
  BOOST_CHECK_THROW(AdamW(all, {.betas = {0.9, -0.1}}), ConfigError);
  BOOST_CHECK_THROW(AdamW(all, {.eps = -1}), ConfigError);
  BOOST_CHECK_THROW(SGD(std::vector<nn::NamedParameter>{}), ConfigError);
  BOOST_CHECK_THROW(SGD({ParamGroup{all}, ParamGroup{all}}), ConfigError);
  BOOST_CHECK_THROW(SGD(std::vector<nn::Parameter>{nn::Parameter()}), ConfigError);
}

BOOST_AUTO_TEST_CASE(accumulated_gradients_step_as_one_large_batch) {
  nn::Sequential whole = small_net(1), parts = small_net(1);
  optim::Adam adam_whole(whole.named_parameters()), adam_parts(parts.named_parameters());
  for (int step = 0; step < 5; ++step) {
    const Tensor x = test::random_tensor({8, 3});
    loss_of(whole, x).backward();
    for (int part = 0; part < 4; ++part) (loss_of(parts, slice(x, 0, 2 * part, 2 * part + 2)) / 4).backward();
    adam_whole.step();
    adam_parts.step();
  }
  for (std::size_t i = 0; i < whole.parameters().size(); ++i)
    test::check_close(parts.parameters()[i], whole.parameters()[i], 1e-12);
}

template <class O, class Options>
void check_resume(const Options& options) {
  nn::Sequential net = small_net(2), copy = small_net(3);
  O optimizer(net.named_parameters(), options), resumed(copy.named_parameters(), Options{options});
  std::vector<Tensor> batches;
  for (int i = 0; i < 8; ++i) batches.push_back(test::random_tensor({4, 3}));
  const auto steps = [&](nn::Module& module, O& o, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      loss_of(module, batches[static_cast<std::size_t>(i)]).backward();
      o.step();
    }
  };
  steps(net, optimizer, 0, 4);
  optim::LrFactor(optimizer).set(0.3);
  for (std::size_t i = 0; i < net.parameters().size(); ++i)
    Tensor(copy.parameters()[i].tensor()).copy_(net.parameters()[i]);
  const optim::StateDict state = optimizer.state();
  resumed.load_state(state);
  steps(net, optimizer, 4, 8);
  steps(copy, resumed, 4, 8);
  for (std::size_t i = 0; i < net.parameters().size(); ++i)
    BOOST_TEST(net.parameters()[i].tensor().template to_vector<double>() ==
               copy.parameters()[i].tensor().template to_vector<double>());
  for (const auto& [name, value] : resumed.state()) {
    optim::StateDict broken = state;
    broken.erase(name);
    BOOST_CHECK_THROW(resumed.load_state(broken), ConfigError);
  }
}

BOOST_AUTO_TEST_CASE(a_loaded_state_goes_on_bit_for_bit) {
  check_resume<optim::SGD>(optim::SGDOptions{.lr = 0.01, .momentum = 0.9, .weight_decay = 0.1});
  check_resume<optim::SGD>(optim::SGDOptions{.lr = 0.01});
  check_resume<optim::Adam>(optim::AdamOptions{.amsgrad = true});
  check_resume<optim::AdamW>(optim::AdamWOptions{});
}

BOOST_AUTO_TEST_CASE(a_state_brings_the_numbers_of_the_groups) {
  ParameterBag bag;
  bag.put("w", Tensor::ones({1}));
  const auto all = bag.named_parameters();
  const optim::Adam saved(all, {.lr = 0.3, .betas = {0.5, 0.6}, .eps = 0.1, .weight_decay = 0.2});
  optim::Adam loaded(all, {});
  loaded.load_state(saved.state());
  for (const auto& [name, value] : saved.state()) test::check_close(loaded.state().at(name), value, 0, name);
}

BOOST_AUTO_TEST_CASE(a_state_that_does_not_fit_is_refused) {
  ParameterBag bag, other;
  Tensor w = bag.put("w", Tensor::ones({2}));
  Tensor v = other.put("w", Tensor::ones({3}));
  optim::Adam adam(bag.named_parameters()), wrong(other.named_parameters());
  optim::Adam amsgrad(bag.named_parameters(), {.amsgrad = true});
  optim::SGD sgd(bag.named_parameters());
  w.set_grad(Tensor::ones({2}));
  adam.step();
  v.set_grad(Tensor::ones({3}));
  wrong.step();
  BOOST_CHECK_THROW(adam.load_state(wrong.state()), ShapeError);
  BOOST_CHECK_THROW(sgd.load_state(adam.state()), ConfigError);
  BOOST_CHECK_THROW(adam.load_state(sgd.state()), ConfigError);
  BOOST_CHECK_THROW(amsgrad.load_state(adam.state()), ConfigError);
}

BOOST_AUTO_TEST_CASE(the_state_follows_a_change_of_type) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({1}));
  optim::Adam adam(bag.named_parameters());
  w.set_grad(Tensor::ones({1}));
  adam.step();
  bag.to(DType::f64);
  w.set_grad(Tensor::ones({1}, DType::f64));
  adam.step();
  BOOST_TEST(adam.state().at("w.exp_avg").item() == 0.19, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
