#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>
#include <evenkeel/nn/unit_scaled/layers.h>
#include <evenkeel/optim/mup.h>
#include <evenkeel/optim/sgd.h>

#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

namespace evenkeel {
namespace {

// One net in three parametrisations that must train alike, step by step: standard initialisation with the
// learning rates of μP's SGD (arXiv 2203.03466, table 3), the same with its factors moved from the
// initialisation to the forward pass (the abc symmetry), and u-μP by our layers and optimiser.

constexpr int kSteps = 8, kClasses = 3;
constexpr std::int64_t kWidth = 24, kBatch = 6;
constexpr double kRate = 0.02;

struct Problem {
  bool is_conv;
  std::vector<Tensor> unit_weights;  // normal numbers; the last is the readout's
  Tensor x, labels;

  explicit Problem(bool conv) : is_conv(conv) {
    const auto weight = [&](std::int64_t out, std::int64_t in, std::int64_t kernel) {
      return test::random_tensor(is_conv ? Shape{out, in, kernel} : Shape{out, in});
    };
    unit_weights = {weight(kWidth, 4, 3), weight(kWidth, kWidth, 3), weight(kClasses, kWidth, 1)};
    x = test::random_tensor(is_conv ? Shape{kBatch, 4, 10} : Shape{kBatch, 4});
    labels = Tensor::from(std::vector<std::int64_t>{0, 1, 2, 2, 1, 0}, {kBatch});
  }
  double fan_in(std::size_t layer) const {
    const Shape& shape = unit_weights[layer].shape();
    return static_cast<double>(shape.slice(1, shape.rank()).numel());
  }
  bool is_readout(std::size_t layer) const { return layer + 1 == unit_weights.size(); }
  /// What μP makes of a unit weight.
  double multiplier(std::size_t layer) const {
    return 1 / (is_readout(layer) ? fan_in(layer) : std::sqrt(fan_in(layer)));
  }
  std::int64_t rows() const { return is_conv ? kBatch * x.dim(2) : kBatch; }
};

Tensor plain_layer(const Problem& problem, const Tensor& x, const Tensor& weight) {
  if (!problem.is_conv) return linear(x, weight);
  const std::int64_t padding = weight.dim(2) / 2;
  return conv(padding == 0 ? x : pad(x, {padding, padding}, PadMode::circular), weight);
}

Tensor pooled(const Problem& problem, const Tensor& y) { return problem.is_conv ? mean(y, 2) : y; }

/// Losses of plain layers with forward factors `factors` and plain SGD.
std::vector<double> train_plain(const Problem& problem, const std::vector<double>& factors) {
  std::vector<Tensor> weights;
  for (std::size_t i = 0; i < factors.size(); ++i)
    weights.push_back(
        (problem.unit_weights[i] * (problem.multiplier(i) / factors[i])).clone().set_requires_grad());
  const double relu_scale = unit_scaled::relu_scales(unit_scaled::Constraint::to_output_scale).output;
  std::vector<double> losses;
  for (int step = 0; step < kSteps; ++step) {
    Tensor y = problem.x;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      y = plain_layer(problem, y, weights[i]) * factors[i];
      if (!problem.is_readout(i)) y = relu(y) * relu_scale;
    }
    const Tensor loss = cross_entropy(pooled(problem, y), problem.labels);
    losses.push_back(loss.item());
    loss.backward();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double stretch = problem.multiplier(i) / factors[i];
      const double rate = kRate * problem.fan_in(i) * stretch * stretch;
      weights[i].copy_(weights[i].detach() - weights[i].grad() * rate);
      weights[i].zero_grad();
    }
  }
  return losses;
}

std::unique_ptr<nn::Module> unit_scaled_layer(const Problem& problem, std::size_t i, Rng& rng) {
  using namespace unit_scaled;
  const Shape& shape = problem.unit_weights[i].shape();
  const auto tied = Constraint::to_output_scale;
  if (!problem.is_conv && problem.is_readout(i))
    return std::make_unique<LinearReadout>(
        LinearReadoutOptions{
            .in_features = shape[1], .out_features = shape[0], .constraint = tied, .dtype = DType::f64},
        rng);
  if (!problem.is_conv)
    return std::make_unique<Linear>(
        LinearOptions{.in_features = shape[1], .out_features = shape[0], .dtype = DType::f64}, rng);
  if (problem.is_readout(i))
    return std::make_unique<ConvReadout1d>(ConvReadoutOptions{.in_channels = shape[1],
                                                              .out_channels = shape[0],
                                                              .kernel_size = shape[2],
                                                              .constraint = tied,
                                                              .dtype = DType::f64},
                                           rng);
  return std::make_unique<Conv1d>(ConvOptions{.in_channels = shape[1],
                                              .out_channels = shape[0],
                                              .kernel_size = shape[2],
                                              .padding = shape[2] / 2,
                                              .padding_mode = PadMode::circular,
                                              .dtype = DType::f64},
                                  rng);
}

/// Losses of our layers with u-μP's SGD by a rule.
std::vector<double> train_unit_scaled(const Problem& problem, const optim::MupOptions& options) {
  Rng rng(1);
  nn::Sequential net;
  for (std::size_t i = 0; i < problem.unit_weights.size(); ++i) {
    net.push_back(unit_scaled_layer(problem, i, rng));
    if (!problem.is_readout(i)) net.push_back(unit_scaled::ReLU());
  }
  for (std::size_t i = 0; i < problem.unit_weights.size(); ++i)
    Tensor(net.parameters()[i].tensor()).copy_(problem.unit_weights[i]);
  // What unit scaling multiplies all weight gradients by, whatever the width.
  const double of_loss = unit_scaled::cross_entropy_scales(kClasses, kBatch, {}).factors()[0];
  const double of_rows = 1 / std::sqrt(static_cast<double>(problem.rows()));
  optim::SGD sgd(optim::mup(net.named_parameters(), options), {.lr = kRate / (of_loss * of_rows)});
  std::vector<double> losses;
  for (int step = 0; step < kSteps; ++step) {
    const Tensor loss = unit_scaled::cross_entropy(pooled(problem, net(problem.x)), problem.labels);
    losses.push_back(loss.item());
    loss.backward();
    sgd.step();
  }
  return losses;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

BOOST_AUTO_TEST_SUITE(equality_test)

BOOST_AUTO_TEST_CASE(three_parametrisations_have_the_same_losses) {
  for (const bool is_conv : {false, true}) {
    const Problem problem(is_conv);
    std::vector<double> multipliers;
    for (std::size_t i = 0; i < 3; ++i) multipliers.push_back(problem.multiplier(i));
    const std::vector<double> standard = train_plain(problem, {1, 1, 1});
    const std::vector<double> permuted = train_plain(problem, multipliers);
    const std::vector<double> unit = train_unit_scaled(problem, {});
    BOOST_TEST(standard.back() < standard.front());
    BOOST_TEST(largest_difference(standard, permuted) < 1e-12);
    BOOST_TEST(largest_difference(standard, unit) < 1e-12);
    // The rule for an untied readout is another one.
    const std::vector<double> wrong = train_unit_scaled(problem, {.readout_constraint = "none"});
    BOOST_TEST(largest_difference(standard, wrong) > 1e-3);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
