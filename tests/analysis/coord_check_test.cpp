#include <evenkeel/analysis/coord_check.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>
#include <evenkeel/nn/unit_scaled/functional.h>
#include <evenkeel/nn/unit_scaled/layers.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/mup.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace evenkeel;
using analysis::coord_check;
using analysis::CoordCheck;
using analysis::Trainee;
namespace us = unit_scaled;

namespace {

// The change of a layer has a part that adds up over its inputs and one, from gradients of samples that
// disagree, that averages out as fan_in^-½. Only the first is what μP keeps; labels drawn at random disagree
// the more the more samples there are. So there are few, and a rate that leaves the loss near its start.
constexpr std::int64_t kBatch = 4, kFeatures = 8, kChannels = 4, kLength = 16, kClasses = 5;

template <class M>
Trainee with_adam(M model, double lr, const std::function<optim::ParamGroup(const nn::Module&)>& group) {
  Trainee trainee;
  trainee.model = std::make_unique<M>(std::move(model));
  trainee.optimizer = std::make_unique<optim::Adam>(group(*trainee.model), optim::AdamOptions{.lr = lr});
  return trainee;
}

optim::ParamGroup plain(const nn::Module& model) { return {model.named_parameters()}; }
optim::ParamGroup by_mup(const nn::Module& model) { return optim::mup(model.named_parameters()); }

Tensor labels() {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < kBatch; ++i) values.push_back(i % kClasses);
  return Tensor::from(values, {kBatch});
}

constexpr double kRate = 0.03;

/// A change by at most a tenth from width 32 to 512.
const analysis::CoordCheckOptions kWithinTenPercent{.seeds = 10,
                                                    .tolerance = std::log(1.1) / std::log(512.0 / 32)};

Tensor inputs(const Shape& shape) {
  Rng rng(9);
  return Tensor::randn(shape, rng);
}

Tensor standard_loss(const Tensor& output) { return cross_entropy(output, labels()); }
Tensor scaled_loss(const Tensor& output) { return us::cross_entropy(output, labels()); }

struct Relu : nn::Module {
  Tensor forward(const Tensor& x) override { return relu(x); }
};
struct ScaledRelu : nn::Module {
  Tensor forward(const Tensor& x) override { return us::relu(x); }
};
struct Pool : nn::Module {
  Tensor forward(const Tensor& x) override { return mean(x, 2); }
};

nn::Sequential scaled_mlp(std::int64_t width, Rng& rng) {
  const auto linear = [&](std::int64_t in) {
    return us::Linear({.in_features = in, .out_features = width}, rng);
  };
  return nn::Sequential(linear(kFeatures), ScaledRelu(), linear(width), ScaledRelu(), linear(width),
                        ScaledRelu(),
                        us::LinearReadout({.in_features = width, .out_features = kClasses}, rng));
}

nn::Sequential scaled_conv_net(std::int64_t width, Rng& rng) {
  const auto conv = [&](std::int64_t in) {
    return us::Conv1d({.in_channels = in, .out_channels = width, .kernel_size = 3, .padding = 1}, rng);
  };
  return nn::Sequential(conv(kChannels), ScaledRelu(), conv(width), ScaledRelu(), conv(width), ScaledRelu(),
                        Pool(), us::LinearReadout({.in_features = width, .out_features = kClasses}, rng));
}

/// One number that is trained; the output is `gain` times it.
struct Gain : nn::Module {
  explicit Gain(double factor) : weight(add_parameter("weight", Tensor::ones({1}))), gain(factor) {}
  Tensor forward(const Tensor&) override { return weight.tensor() * gain; }
  nn::Parameter weight;
  double gain;
};

/// A step of Adam changes the weight by its rate: the output by rate·gain.
CoordCheck check_gain(const std::function<double(std::int64_t, Rng&)>& gain,
                      const analysis::CoordCheckOptions& options) {
  return coord_check(
      [&](std::int64_t width, Rng& rng) { return with_adam(Gain(gain(width, rng)), 0.125, plain); },
      Tensor::ones({1}), [](const Tensor& output) { return sum(output); }, options);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(coord_check_test)

BOOST_AUTO_TEST_CASE(u_mup_is_flat_for_a_linear_net) {
  const CoordCheck check = coord_check(
      [](std::int64_t width, Rng& rng) { return with_adam(scaled_mlp(width, rng), kRate, by_mup); },
      inputs({kBatch, kFeatures}), scaled_loss, kWithinTenPercent);
  BOOST_TEST(check.is_flat(), check.text());
  BOOST_TEST(check.layers.size() == 7U);
}

BOOST_AUTO_TEST_CASE(u_mup_is_flat_for_a_conv_net) {
  const CoordCheck check = coord_check(
      [](std::int64_t width, Rng& rng) { return with_adam(scaled_conv_net(width, rng), kRate, by_mup); },
      inputs({kBatch, kChannels, kLength}), scaled_loss, kWithinTenPercent);
  BOOST_TEST(check.is_flat(), check.text());
  BOOST_TEST(check.layers.size() == 8U);
}

BOOST_AUTO_TEST_CASE(the_standard_parametrisation_is_flagged_for_a_linear_net) {
  const CoordCheck check = coord_check(
      [](std::int64_t width, Rng& rng) {
        const auto linear = [&](std::int64_t in, std::int64_t out) {
          return nn::Linear({.in_features = in, .out_features = out}, rng);
        };
        return with_adam(nn::Sequential(linear(kFeatures, width), Relu(), linear(width, width), Relu(),
                                        linear(width, kClasses)),
                         0.01, plain);
      },
      inputs({kBatch, kFeatures}), standard_loss, {});
  BOOST_TEST(!check.is_flat());
  BOOST_TEST(check.layers[2].total.slopes[0] > 0.5);
  BOOST_TEST(check.layers[4].total.slopes[0] > 0.5);
  BOOST_TEST(check.text().find("NOT FLAT") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_standard_parametrisation_is_flagged_for_a_conv_net) {
  const CoordCheck check = coord_check(
      [](std::int64_t width, Rng& rng) {
        const auto conv = [&](std::int64_t in) {
          return nn::Conv1d({.in_channels = in, .out_channels = width, .kernel_size = 3, .padding = 1}, rng);
        };
        return with_adam(nn::Sequential(conv(kChannels), Relu(), conv(width), Relu(), Pool(),
                                        nn::Linear({.in_features = width, .out_features = kClasses}, rng)),
                         0.01, plain);
      },
      inputs({kBatch, kChannels, kLength}), standard_loss, {.seeds = 2});
  BOOST_TEST(!check.is_flat());
  BOOST_TEST(check.layers[2].total.slopes[0] > 0.5);
}

BOOST_AUTO_TEST_CASE(one_wrong_exponent_of_one_learning_rate_is_flagged_at_its_layer) {
  for (const double exponent : {-1.0, 0.0}) {  // right: -½
    const CoordCheck check = coord_check(
        [&](std::int64_t width, Rng& rng) {
          return with_adam(scaled_conv_net(width, rng), kRate, [&](const nn::Module& model) {
            return optim::scaled_parameters(
                model.named_parameters(), [&](const nn::NamedParameter& parameter) {
                  return parameter.name == "4.weight" ? std::pow(3.0 * static_cast<double>(width), exponent)
                                                      : optim::lr_scale_adam(parameter);
                });
          });
        },
        inputs({kBatch, kChannels, kLength}), scaled_loss, {.seeds = 2});
    BOOST_TEST(!check.is_flat());
    BOOST_TEST(check.layers[2].is_flat == true, check.text());
    BOOST_TEST(check.layers[4].layer == "4");
    BOOST_TEST(!check.layers[4].is_flat, check.text());
  }
}

BOOST_AUTO_TEST_CASE(a_readout_that_is_none_is_flagged) {
  const CoordCheck check = coord_check(
      [](std::int64_t width, Rng& rng) {
        return with_adam(
            nn::Sequential(us::Linear({.in_features = kFeatures, .out_features = width}, rng), ScaledRelu(),
                           us::Linear({.in_features = width, .out_features = kClasses}, rng)),
            0.125, [](const nn::Module& model) {
              return optim::scaled_parameters(model.named_parameters(),
                                              [](const nn::NamedParameter&) { return 1.0; });
            });
      },
      inputs({kBatch, kFeatures}), scaled_loss, {.seeds = 2});
  BOOST_TEST(!check.layers.back().is_flat, check.text());
}

BOOST_AUTO_TEST_CASE(changes_and_slopes_are_those_computed_by_hand) {
  const auto check =
      check_gain([](std::int64_t width, Rng&) { return std::sqrt(static_cast<double>(width)); },
                 {.widths = {4, 16, 64}, .seeds = 1, .steps = 2});
  BOOST_REQUIRE_EQUAL(check.layers.size(), 1U);
  const auto near = boost::test_tools::tolerance(1e-5);
  const auto& layer = check.layers.front();
  BOOST_TEST(layer.layer.empty());
  BOOST_REQUIRE_EQUAL(layer.total.change.size(), 2U);
  BOOST_TEST(layer.total.change[0][0] == 0.125 * 2, near);
  BOOST_TEST(layer.total.change[0][2] == 0.125 * 8, near);
  BOOST_TEST(layer.total.change[1][1] == 2 * 0.125 * 4, near);
  BOOST_TEST(layer.total.slopes[0] == 0.5, near);
  BOOST_TEST(layer.total.slopes[1] == 0.5, near);
  BOOST_TEST(!layer.is_flat);
}

BOOST_AUTO_TEST_CASE(the_change_by_own_weights_leaves_out_that_of_the_layers_before) {
  struct Times : nn::Module {
    explicit Times(double start) : weight(add_parameter("weight", Tensor::full({1}, start))) {}
    Tensor forward(const Tensor& x) override { return weight.tensor() * x; }
    nn::Parameter weight;
  };
  const CoordCheck check = coord_check(
      [](std::int64_t, Rng&) { return with_adam(nn::Sequential(Times(1), Times(2), Relu()), 0.125, plain); },
      Tensor::ones({1}), [](const Tensor& output) { return -sum(output); },
      {.widths = {4, 16}, .seeds = 1, .steps = 1});
  const auto near = boost::test_tools::tolerance(1e-5);
  BOOST_TEST(check.layers[0].total.change[0][0] == 0.125, near);
  BOOST_TEST(check.layers[0].own.change[0][0] == 0.125, near);
  BOOST_TEST(check.layers[1].total.change[0][0] == 1.125 * 2.125 - 2, near);
  BOOST_TEST(check.layers[1].own.change[0][0] == 0.125, near);
  BOOST_TEST(check.layers[2].own.change.empty());
}

BOOST_AUTO_TEST_CASE(seeds_are_averaged_and_each_width_draws_the_same) {
  std::vector<double> drawn;
  const auto check = check_gain([&](std::int64_t, Rng& rng) { return drawn.emplace_back(rng.uniform(1, 2)); },
                                {.widths = {4, 16}, .seeds = 3, .steps = 1});
  BOOST_REQUIRE_EQUAL(drawn.size(), 6U);
  BOOST_TEST(drawn[0] != drawn[1]);
  BOOST_TEST(drawn[0] == drawn[3]);
  BOOST_TEST(check.layers[0].total.change[0][0] == 0.125 * (drawn[0] + drawn[1] + drawn[2]) / 3,
             boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(tolerance_decides_what_is_flat) {
  const auto gain = [](std::int64_t width, Rng&) { return std::pow(static_cast<double>(width), -0.2); };
  BOOST_TEST(!check_gain(gain, {.widths = {4, 16}, .seeds = 1, .steps = 1}).is_flat());
  BOOST_TEST(!check_gain(gain, {.widths = {4, 16}, .seeds = 1, .steps = 1, .tolerance = 0.19}).is_flat());
  BOOST_TEST(check_gain(gain, {.widths = {4, 16}, .seeds = 1, .steps = 1, .tolerance = 0.21}).is_flat());
}

BOOST_AUTO_TEST_CASE(what_never_changes_is_flat_and_what_stops_or_explodes_is_not) {
  const analysis::CoordCheckOptions options{.widths = {4, 16}, .seeds = 1, .steps = 1};
  BOOST_TEST(check_gain([](std::int64_t, Rng&) { return 0.0; }, options).is_flat());
  BOOST_TEST(!check_gain([](std::int64_t width, Rng&) { return width == 4 ? 1.0 : 0.0; }, options).is_flat());
  BOOST_TEST(
      !check_gain([](std::int64_t width, Rng&) { return width == 4 ? 1.0 : 1e300; }, options).is_flat());
}

BOOST_AUTO_TEST_CASE(too_few_widths_seeds_or_steps_are_refused) {
  const auto gain = [](std::int64_t, Rng&) { return 1.0; };
  BOOST_CHECK_THROW(check_gain(gain, {.widths = {4}}), ConfigError);
  BOOST_CHECK_THROW(check_gain(gain, {.seeds = 0}), ConfigError);
  BOOST_CHECK_THROW(check_gain(gain, {.steps = 0}), ConfigError);
}

BOOST_AUTO_TEST_CASE(text_json_and_chart_show_every_layer_and_step) {
  CoordCheck check{{32, 64},
                   {{"stem", {{{1, 1}, {2, 2}}, {0, 0.05}}, {}, true},
                    {"head", {{{1, 2}, {2, 4}}, {1, 1}}, {{{3, 3}, {3, 3}}, {0.25, 0.25}}, false}}};
  const std::string text = check.text();
  for (const char* part :
       {"stem", "head", "step 2", "+0.050", "(+0.250)", "+1.000", "flat", "NOT FLAT: rates"})
    BOOST_TEST(text.find(part) != std::string::npos, part << " in\n" << text);
  const auto json = nlohmann::json::parse(check.json());
  BOOST_TEST(json["widths"] == (std::vector<int>{32, 64}));
  BOOST_TEST(json["flat"] == false);
  BOOST_TEST(json["layers"][1]["layer"] == "head");
  BOOST_TEST(json["layers"][1]["total"]["change"][1][1] == 4);
  BOOST_TEST(json["layers"][0]["total"]["slopes"][1] == 0.05);
  BOOST_TEST(json["layers"][1]["own"]["change"][0][0] == 3);
  BOOST_TEST(json["layers"][1]["own"]["slopes"][1] == 0.25);
  BOOST_TEST(json["layers"][0]["own"]["slopes"].empty());
  BOOST_TEST(json["layers"][0]["flat"] == true);
  const std::string svg = check.svg();
  for (const char* part :
       {">step 1: change of the output<", ">step 2: change by own weights<", ">stem<", ">head<"})
    BOOST_TEST(svg.find(part) != std::string::npos, part);
  check.layers.pop_back();
  BOOST_TEST(check.is_flat());
  BOOST_TEST(check.text().find("NOT") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
