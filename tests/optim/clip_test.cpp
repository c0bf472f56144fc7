#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/optim/clip.h>

#include "support/check_gradients.h"
#include "support/golden.h"
#include "support/parameter_bag.h"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

namespace evenkeel {
namespace {

BOOST_AUTO_TEST_SUITE(clip_test)

BOOST_AUTO_TEST_CASE(clipping_agrees_with_pytorch) {
  int cases = 0;
  for (const test::GoldenCase& golden : test::read_golden("optim.h5")) {
    if (!golden.op.starts_with("clip")) continue;
    ++cases;
    test::ParameterBag bag;
    for (const char* name : {"g0", "g1", "g2"}) {
      const Tensor gradient = golden.get(name);
      Tensor leaf = bag.put(name, Tensor::zeros(gradient.shape(), DType::f64));
      leaf.set_grad(gradient.clone());
    }
    if (golden.op == "clip_grad_value") {
      optim::clip_grad_value_(bag.parameters(), golden.options.at("clip_value"));
    } else {
      const nlohmann::json& type = golden.options.at("norm_type");
      const double norm_type =
          type.is_string() ? std::numeric_limits<double>::infinity() : type.get<double>();
      const double norm = optim::clip_grad_norm_(bag.parameters(), golden.options.at("max_norm"), norm_type);
      BOOST_TEST(norm == golden.get("total_norm").item(), boost::test_tools::tolerance(1e-14));
    }
    for (const auto& [name, parameter] : bag.named_parameters()) {
      const Tensor gradient = parameter.tensor().grad();
      test::check_close(gradient, detail::view(golden.get(name + "_after"), gradient.shape()), 1e-12,
                        golden.name);
    }
  }
  BOOST_TEST(cases == 19);
}

BOOST_AUTO_TEST_CASE(a_norm_that_is_not_finite_is_an_error_and_changes_nothing) {
  test::ParameterBag bag;
  Tensor leaf = bag.put("w", Tensor::zeros({3}));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const double type : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()}) {
      leaf.set_grad(Tensor::from({2.f, bad, 5.f}, {3}));
      BOOST_CHECK_THROW(optim::clip_grad_norm_(bag.parameters(), 1, type), ValueError);
      BOOST_TEST(leaf.grad().data<float>()[2] == 5);
    }
}

BOOST_AUTO_TEST_CASE(limits_below_zero_are_refused) {
  test::ParameterBag bag;
  bag.put("w", Tensor::zeros({3}));
  BOOST_CHECK_THROW(optim::clip_grad_norm_(bag.parameters(), -1), ConfigError);
  BOOST_CHECK_THROW(optim::clip_grad_norm_(bag.parameters(), 1, 0.5), ConfigError);
  BOOST_CHECK_THROW(optim::clip_grad_value_(bag.parameters(), -1), ConfigError);
}

BOOST_AUTO_TEST_CASE(parameters_without_a_gradient_count_nothing) {
  test::ParameterBag bag;
  bag.put("unused", Tensor::zeros({3}));
  Tensor leaf = bag.put("used", Tensor::zeros({2}));
  leaf.set_grad(Tensor::from({3.f, 4.f}, {2}));
  BOOST_TEST(optim::clip_grad_norm_(bag.parameters(), 100) == 5);
}

BOOST_AUTO_TEST_CASE(the_norm_has_the_same_bits_at_any_thread_count) {
  test::ParameterBag bag;
  Rng rng(3);
  Tensor leaf = bag.put("w", Tensor::zeros({1000003}));
  leaf.set_grad(Tensor::randn({1000003}, rng));
  const int before = num_threads();
  set_num_threads(1);
  const double one = optim::clip_grad_norm_(bag.parameters(), 1e9);
  set_num_threads(5);
  BOOST_TEST(optim::clip_grad_norm_(bag.parameters(), 1e9) == one);
  set_num_threads(before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
