#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/unit_scaled/layers.h>
#include <evenkeel/optim/mup.h>

#include "support/check_gradients.h"
#include "support/optim_golden.h"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {
namespace {

using test::GoldenCase;
using test::ParameterBag;

ParameterBag bag_of(const GoldenCase& golden) {
  ParameterBag bag;
  for (const nlohmann::json& p : golden.entry.at("parameters")) {
    std::optional<MupType> type;
    std::optional<std::int64_t> depth;
    if (!p.at("mup_type").is_null()) type = mup_type_from(p.at("mup_type"));
    if (!p.at("mup_scaling_depth").is_null()) depth = p.at("mup_scaling_depth");
    bag.put(p.at("name"), golden.get(p.at("name")), type, depth);
  }
  return bag;
}

template <class O, class Options>
void run_case(const GoldenCase& golden) {
  const nlohmann::json& o = golden.options;
  optim::MupOptions options{.independent_weight_decay = o.value("independent_weight_decay", true),
                            .allow_non_unit_scaling_params = o.value("allow_non_unit_scaling_params", false)};
  if (golden.op == "sgd")
    options.readout_constraint = o.contains("readout_constraint") && o.at("readout_constraint").is_string()
                                     ? o.at("readout_constraint").get<std::string>()
                                     : "none";
  const ParameterBag bag = bag_of(golden);
  const std::vector<nn::NamedParameter> all = bag.named_parameters();
  Options common{};
  common.weight_decay = 0;
  common = test::read(common, o);
  std::vector<optim::ParamGroup> groups;
  for (const nlohmann::json& entry : golden.entry.at("groups")) {
    std::vector<nn::NamedParameter> members;
    for (const std::string name : entry.at("params"))
      for (const nn::NamedParameter& parameter : all)
        if (parameter.name == name) members.push_back(parameter);
    optim::ParamGroup group = optim::mup(members, options);
    if (entry.contains("lr")) group.lr = entry.at("lr").get<double>();
    if (entry.contains("weight_decay")) group.weight_decay = entry.at("weight_decay").get<double>();
    groups.push_back(group);
  }
  O optimizer(groups, common);
  for (const auto& group : optimizer.groups())
    for (std::size_t i = 0; i < group.parameters.size(); ++i)
      for (const nlohmann::json& p : golden.entry.at("parameters"))
        if (p.at("name") == group.parameters[i].name)
          BOOST_TEST(group.base_lr * group.lr_scales[i] == p.at("scaled_lr").get<double>(),
                     boost::test_tools::tolerance(1e-14));
  test::run_golden_steps(golden, bag, optimizer, 1e-12);
}

double scale_of(const nn::Parameter& parameter, optim::StepRule rule = optim::StepRule::adam) {
  const nn::NamedParameter named{"p", parameter};
  return optim::mup(std::vector{named}).lr_scale(named, rule);
}

BOOST_AUTO_TEST_SUITE(mup_test)

BOOST_AUTO_TEST_CASE(a_hundred_steps_agree_with_the_published_package) {
  int cases = 0;
  for (const GoldenCase& golden : test::read_golden("unit_scaling.h5")) {
    if (golden.op == "sgd") run_case<optim::SGD, optim::SGDOptions>(golden);
    if (golden.op == "adam") run_case<optim::Adam, optim::AdamOptions>(golden);
    if (golden.op == "adamw") run_case<optim::AdamW, optim::AdamWOptions>(golden);
    cases += golden.op == "sgd" || golden.op == "adam" || golden.op == "adamw";
  }
  BOOST_TEST(cases == 21);
}

BOOST_AUTO_TEST_CASE(conv_weights_of_any_rank_have_a_rate) {
  ParameterBag bag;
  const nn::Parameter image = bag.put("image", Tensor::zeros({8, 4, 3, 3}), MupType::weight);
  const nn::Parameter volume = bag.put("volume", Tensor::zeros({2, 4, 3, 3, 3}), MupType::weight, 4);
  BOOST_TEST(scale_of(image) == 1.0 / 6, boost::test_tools::tolerance(1e-15));
  BOOST_TEST(scale_of(volume) == 0.5 / std::sqrt(108), boost::test_tools::tolerance(1e-15));
}

BOOST_AUTO_TEST_CASE(the_rate_of_a_depthwise_weight_does_not_shrink_with_width) {
  Rng rng(1);
  for (const std::int64_t width : {4, 64}) {
    const unit_scaled::DepthWiseConv1d layer({.in_channels = width, .out_channels = width, .kernel_size = 9},
                                             rng);
    BOOST_TEST(scale_of(layer.weight()) == 1.0 / 3, boost::test_tools::tolerance(1e-15));
  }
}

BOOST_AUTO_TEST_CASE(the_fan_in_of_a_transposed_convolution_is_that_of_its_inputs) {
  Rng rng(1);
  const unit_scaled::ConvTranspose2d layer(
      {.in_channels = 32, .out_channels = 1, .kernel_size = 4, .stride = 2}, rng);
  BOOST_TEST(scale_of(layer.weight()) == 1 / std::sqrt(32 * 16 / 4), boost::test_tools::tolerance(1e-15));
}

BOOST_AUTO_TEST_CASE(the_readout_decides_the_rule_of_sgd_and_not_of_adam) {
  Rng rng(1);
  for (const auto constraint : {unit_scaled::Constraint::none, unit_scaled::Constraint::to_output_scale}) {
    const bool tied = constraint == unit_scaled::Constraint::to_output_scale;
    nn::Sequential net(
        unit_scaled::Linear({.in_features = 4, .out_features = 16, .bias = true}, rng),
        unit_scaled::LinearReadout({.in_features = 16, .out_features = 3, .constraint = constraint}, rng));
    const optim::SGD sgd(optim::mup(net.named_parameters()));
    const optim::AdamW adam(optim::mup(net.named_parameters()));
    BOOST_TEST(sgd.groups()[0].lr_scales ==
               (tied ? std::vector<double>{2, 16, 1} : std::vector<double>{0.5, 1, 1}));
    BOOST_TEST(adam.groups()[0].lr_scales == std::vector<double>({0.5, 1, 1}));
    const optim::MupOptions asked{.readout_constraint = "to_output_scale"};
    BOOST_TEST(optim::SGD(optim::mup(net.named_parameters(), asked)).groups()[0].lr_scales ==
               std::vector<double>({2, 16, 1}));
  }
}

BOOST_AUTO_TEST_CASE(a_readout_constraint_without_a_rule_is_refused_for_sgd) {
  ParameterBag bag;
  bag.put("w", Tensor::zeros({2, 2}), MupType::weight);
  const optim::MupOptions options{.readout_constraint = "gmean"};
  BOOST_CHECK_THROW(optim::SGD(optim::mup(bag.named_parameters(), options)), ConfigError);
  BOOST_CHECK_NO_THROW(optim::Adam(optim::mup(bag.named_parameters(), options)));
}

BOOST_AUTO_TEST_CASE(a_parameter_without_type_is_an_error_that_names_it_unless_allowed) {
  Rng rng(1);
  nn::Sequential net(unit_scaled::Linear({.in_features = 4, .out_features = 4}, rng),
                     nn::Linear({.in_features = 4, .out_features = 3}, rng));
  BOOST_CHECK_EXCEPTION(optim::Adam(optim::mup(net.named_parameters())), ConfigError, [](const Error& e) {
    return std::string(e.what()).find("\"1.weight\"") != std::string::npos;
  });
  BOOST_CHECK_THROW(optim::SGD(optim::mup(net.parameters())), ConfigError);
  const optim::MupOptions allowed{.allow_non_unit_scaling_params = true};
  const optim::SGD sgd(optim::mup(net.named_parameters(), allowed));
  BOOST_TEST(sgd.groups()[0].lr_scales == std::vector<double>({0.5, 1, 1}));
}

BOOST_AUTO_TEST_CASE(any_rule_can_be_given) {
  ParameterBag bag;
  bag.put("a", Tensor::zeros({2, 2}), MupType::weight);
  bag.put("b", Tensor::zeros({2}), MupType::bias);
  const optim::SGD sgd(optim::scaled_parameters(
      bag.named_parameters(), [](const nn::NamedParameter& p) { return p.name == "a" ? 3.0 : 0.25; }));
  BOOST_TEST(sgd.groups()[0].lr_scales == std::vector<double>({3, 0.25}));
}

/// The published package divides by the rate, and so by zero.
BOOST_AUTO_TEST_CASE(a_rate_of_zero_stands_still_with_weight_decay_on) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({2}), MupType::bias);
  optim::AdamW adam(optim::mup(bag.named_parameters()), {.lr = 0, .weight_decay = 0.1});
  w.set_grad(Tensor::ones({2}));
  adam.step();
  BOOST_TEST(w.to_vector<float>() == std::vector<float>({1, 1}));
}

BOOST_AUTO_TEST_CASE(decay_is_free_of_the_rate_and_schedules_multiply_it) {
  ParameterBag bag;
  Tensor w = bag.put("w", Tensor::ones({4, 9}, DType::f64), MupType::weight);
  optim::AdamW adam(optim::mup(bag.named_parameters()), {.lr = 0.6, .weight_decay = 0.1});
  optim::LrFactor(adam).set(0.5);
  w.set_grad(Tensor::zeros({4, 9}, DType::f64));
  adam.step();
  test::check_close(w.detach(), Tensor::full({4, 9}, 0.95, DType::f64), 1e-15);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
