#include <evenkeel/analysis/profile.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

using namespace evenkeel;
using analysis::LayerCost;
using analysis::Profile;

namespace {

constexpr auto kNap = std::chrono::milliseconds(20);

/// Sleeps in forward and three times as long in backward.
struct Sleeper : nn::Module {
  Tensor forward(const Tensor& x) override {
    ++calls;
    std::this_thread::sleep_for(kNap);
    return record("sleep", {x}, x.clone(), [](const Tensor& gy, Grads& grads) {
      std::this_thread::sleep_for(3 * kNap);
      grads.add(0, gy);
    });
  }
  int calls = 0;
};

struct Relu : nn::Module {
  Tensor forward(const Tensor& x) override { return relu(x); }
};

const LayerCost& layer(const Profile& profile, const std::string& name) {
  for (const auto& candidate : profile.layers)
    if (candidate.layer == name) return candidate;
  throw std::runtime_error("no layer " + name);
}

struct ConvNet : nn::Module {
  explicit ConvNet(Rng& rng)
      : weight(add_parameter("weight", Tensor::randn({6, 2, 3}, rng))),
        bias(add_parameter("bias", Tensor::zeros({6}))),
        up(add_parameter("up", Tensor::randn({6, 5, 4}, rng))) {}
  Tensor forward(const Tensor& x) override {
    return conv_transpose(conv(x, weight, bias, {.groups = 2}), up, {}, {.stride = 2});
  }
  nn::Parameter weight, bias, up;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(profile_test)

BOOST_AUTO_TEST_CASE(time_goes_to_the_layer_and_direction_that_spends_it) {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 4, .out_features = 4}, rng), Sleeper(), Relu());
  const Profile profile = analysis::profile(net, Tensor::randn({2, 4}, rng), {.runs = 1});
  const double nap = std::chrono::duration<double>(kNap).count();
  BOOST_TEST(layer(profile, "1").forward.seconds >= nap);
  BOOST_TEST(layer(profile, "1").backward.seconds >= 3 * nap);
  BOOST_TEST(profile.total.forward.seconds >= nap);
  BOOST_TEST(profile.total.backward.seconds >= 3 * nap);
  for (const char* other : {"0", "2"}) {
    BOOST_TEST(layer(profile, other).forward.seconds < layer(profile, "1").forward.seconds);
    BOOST_TEST(layer(profile, other).backward.seconds < layer(profile, "1").backward.seconds);
  }
}

BOOST_AUTO_TEST_CASE(flops_and_bytes_of_a_linear_layer_are_those_counted_by_hand) {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 16, .out_features = 8}, rng), Relu());
  const Profile profile = analysis::profile(net, Tensor::randn({32, 16}, rng));
  const LayerCost& linear = layer(profile, "0");
  constexpr double kX = 32 * 16, kWeight = 16 * 8, kBias = 8, kY = 32 * 8;
  BOOST_TEST(linear.forward.flops == 2 * 32 * 16 * 8);
  BOOST_TEST(linear.backward.flops == 2 * 2 * 32 * 16 * 8);
  BOOST_TEST(linear.forward.bytes == 4 * (kX + kWeight + kBias + kY));
  BOOST_TEST(linear.backward.bytes == 4 * (2 * (kX + kWeight + kBias) + kY));
  BOOST_TEST(layer(profile, "1").forward.flops == 0);
  BOOST_TEST(layer(profile, "1").forward.bytes == 4 * 2 * kY);
  BOOST_TEST(profile.total.forward.flops == linear.forward.flops);
  BOOST_TEST(profile.total.forward.bytes == linear.forward.bytes + 4 * 2 * kY);
  BOOST_TEST(profile.total.backward.bytes == linear.backward.bytes + 4 * 3 * kY);
}

BOOST_AUTO_TEST_CASE(flops_of_convolutions_count_groups_and_the_transposed_kind) {
  Rng rng(1);
  ConvNet net(rng);
  const Profile profile = analysis::profile(net, Tensor::randn({3, 4, 10}, rng));
  const double conv = 2.0 * 3 * 6 * 8 * (2 * 3);        // every output reads 2 channels, 3 taps
  const double transposed = 2.0 * 3 * 6 * 8 * (5 * 4);  // every input feeds 5 channels, 4 taps
  BOOST_TEST(layer(profile, "").forward.flops == conv + transposed);
  BOOST_TEST(layer(profile, "").backward.flops == 2 * (conv + transposed));
}

BOOST_AUTO_TEST_CASE(frozen_weights_cost_no_backward_product) {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 16, .out_features = 8}, rng));
  net.freeze();
  const Profile profile = analysis::profile(net, Tensor::randn({32, 16}, rng));
  BOOST_TEST(layer(profile, "0").backward.flops == layer(profile, "0").forward.flops);
}

BOOST_AUTO_TEST_CASE(runs_says_how_often_the_model_is_measured_after_one_warm_up) {
  for (const int runs : {1, 4}) {
    nn::Sequential net{Sleeper()};
    analysis::profile(net, Tensor::ones({1}), {.runs = runs});
    BOOST_TEST(static_cast<Sleeper&>(net.child("0")).calls == runs + 1);
  }
  Relu net;
  BOOST_CHECK_THROW(analysis::profile(net, Tensor::ones({1}), {.runs = 0}), ConfigError);
}

BOOST_AUTO_TEST_CASE(the_loss_is_a_layer_of_its_own) {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 4, .out_features = 4}, rng));
  const Profile profile = analysis::profile(net, Tensor::randn({2, 4}, rng),
                                            {.loss = [](const Tensor& y) { return sum(y * y); }});
  BOOST_REQUIRE_EQUAL(profile.layers.size(), 2U);
  BOOST_TEST(profile.layers[1].layer == "loss");
  BOOST_TEST(profile.layers[1].forward.bytes > 0);
}

BOOST_AUTO_TEST_CASE(the_models_gradients_stay_as_they_were) {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 4, .out_features = 4}, rng));
  Tensor weight = net.parameters().front().tensor();
  weight.set_grad(Tensor::full({4, 4}, 7));
  analysis::profile(net, Tensor::randn({2, 4}, rng));
  BOOST_TEST(weight.grad().to_vector<float>() == std::vector<float>(16, 7.0F),
             boost::test_tools::per_element());
  BOOST_TEST(!net.parameters().back().tensor().grad().defined());
}

BOOST_AUTO_TEST_CASE(text_and_json_hold_every_layer_and_the_total) {
  Profile profile;
  profile.layers = {{"", {0.001, 2e6, 4000}, {0.003, 0, 8000}},
                    {"block.conv", {0.004, 8e9, 16e6}, {0.012, 0, 0}}};
  profile.total = {"", {0.005, 8.002e9, 16.004e6}, {0.015, 0, 8000}};
  const std::string text = profile.text();
  for (const char* part :
       {"(model)", "block.conv", "80.0 %", "4.000", "2000.0", "16.0 MB", "total", "100.0 %"})
    BOOST_TEST(text.find(part) != std::string::npos, part << " in\n" << text);
  const auto json = nlohmann::json::parse(profile.json());
  BOOST_TEST(json["layers"][1]["layer"] == "block.conv");
  BOOST_TEST(json["layers"][1]["forward"]["flops"] == 8e9);
  BOOST_TEST(json["layers"][0]["backward"]["bytes"] == 8000);
  BOOST_TEST(json["layers"][1]["backward"]["seconds"] == 0.012);
  BOOST_TEST(json["total"]["forward"]["seconds"] == 0.005);
}

BOOST_AUTO_TEST_SUITE_END()
