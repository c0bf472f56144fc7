#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/check_gradients.h"
#include "support/unit_scaling_golden.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::constraint_of;
using test::GoldenCase;
using test::run_unit_scaling_cases;
using Tensors = std::vector<Tensor>;

BOOST_AUTO_TEST_SUITE(elementwise_golden_test)

BOOST_AUTO_TEST_CASE(activations_agree_with_the_published_package) {
  const auto gelu = [](const GoldenCase& golden, const Tensors& t) {
    const bool is_tanh = golden.options.at("approximate") == "tanh";
    return unit_scaled::gelu(t[0], golden.options.at("mult"), constraint_of(golden),
                             is_tanh ? GeluApproximation::tanh : GeluApproximation::none);
  };
  BOOST_TEST(36 == run_unit_scaling_cases("gelu", {"x"}, gelu));
  BOOST_TEST(18 == run_unit_scaling_cases("silu", {"x"}, [](const GoldenCase& golden, const Tensors& t) {
               return unit_scaled::silu(t[0], golden.options.at("mult"), constraint_of(golden));
             }));
  BOOST_TEST(54 == run_unit_scaling_cases("softmax", {"x"}, [](const GoldenCase& golden, const Tensors& t) {
               return unit_scaled::softmax(t[0], golden.options.at("dim"), golden.options.at("mult"),
                                           constraint_of(golden));
             }));
  BOOST_TEST(3 == run_unit_scaling_cases("silu_glu", {"x", "gate"}, [](const auto& golden, const Tensors& t) {
               return unit_scaled::silu_glu(t[0], t[1], golden.options.at("mult"));
             }));
  BOOST_TEST(4 == run_unit_scaling_cases("dropout", {"x"}, [](const GoldenCase& golden, const Tensors& t) {
               Rng rng(1);
               return unit_scaled::dropout(t[0], golden.options.at("p"),
                                           golden.options.at("training") ? &rng : nullptr);
             }));
}

Reduction reduction_of(const GoldenCase& golden) {
  return golden.options.at("reduction") == "mean" ? Reduction::mean : Reduction::sum;
}

BOOST_AUTO_TEST_CASE(losses_and_look_up_agree_with_the_published_package) {
  const auto cross_entropy = [](const GoldenCase& golden, const Tensors& t) {
    return unit_scaled::cross_entropy(t[0], t[1],
                                      {.mult = golden.options.at("mult"), .reduction = reduction_of(golden)});
  };
  BOOST_TEST(18 == run_unit_scaling_cases("cross_entropy", {"x", "target"}, cross_entropy));
  BOOST_TEST(4 ==
             run_unit_scaling_cases("mse_loss", {"x", "target"}, [](const auto& golden, const Tensors& t) {
               return unit_scaled::mse_loss(t[0], t[1], reduction_of(golden));
             }));
  BOOST_TEST(2 == run_unit_scaling_cases(
                      "embedding", {"tokens", "weight"},
                      [](const auto&, const Tensors& t) { return unit_scaled::embedding(t[0], t[1]); }));
}

/// The published package divides by all rows.
BOOST_AUTO_TEST_CASE(the_mean_of_cross_entropy_leaves_ignored_rows_out) {
  const Tensor x = test::random_tensor({4, 5}), used = slice(x, 0, 0, 2);
  const Tensor some = Tensor::from(std::vector<std::int64_t>{1, 3, 0, 0}, {4});
  const Tensor first = Tensor::from(std::vector<std::int64_t>{1, 3}, {2});
  const double all = unit_scaled::cross_entropy(x, some, {.ignore_index = 0}).item();
  BOOST_TEST(all == unit_scaled::cross_entropy(used, first).item(), boost::test_tools::tolerance(1e-14));
}

/// A gradient that is the sum's must not know the batch size.
BOOST_AUTO_TEST_CASE(the_gradient_of_a_mean_is_that_of_the_sum) {
  const Tensor x = test::random_tensor({6, 5});
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 3, 0, 2, 2, 4}, {6});
  std::vector<Tensor> gradients;
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    const Tensor leaf = x.clone().set_requires_grad();
    unit_scaled::cross_entropy(leaf, labels, {.reduction = reduction}).backward();
    gradients.push_back(leaf.grad());
  }
  test::check_close(gradients[0], gradients[1], 1e-14);
}

BOOST_AUTO_TEST_CASE(what_has_no_scale_is_refused) {
  const Tensor x = test::random_tensor({2, 3});
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{0, 1}, {2});
  BOOST_CHECK_THROW(unit_scaled::cross_entropy(x, labels, {.reduction = Reduction::none}), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::cross_entropy(x, labels, {.mult = 0}), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::cross_entropy(x, labels, {.label_smoothing = 1}), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::mse_loss(x, x, Reduction::none), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::gelu(x, 0), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::dropout(x, 1, nullptr), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::relu(x, unit_scaled::Constraint::to_left_grad_scale), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::add(x, x, unit_scaled::Constraint::to_grad_input_scale), ConfigError);
  BOOST_CHECK_THROW(unit_scaled::constraint_from("mean"), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
