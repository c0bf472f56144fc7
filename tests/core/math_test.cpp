#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <numbers>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

using Unary = Tensor (*)(const Tensor&);

OpCases over(Unary function, Tensor (*make)(const Shape&) = random_tensor) {
  return [=] { return over_shapes(function, make); };
}

const OpChecks exp_checks("exp", over(exp));
const OpChecks log_checks("log", over(log, positive));
const OpChecks sqrt_checks("sqrt", over(sqrt, positive));
const OpChecks abs_checks("abs", over(abs, away_from_zero));
const OpChecks sigmoid_checks("sigmoid", over(sigmoid));
const OpChecks tanh_checks("tanh", over(tanh));
const OpChecks relu_checks("relu", over(relu, away_from_zero));
const OpChecks silu_checks("silu", over(silu));
const OpChecks gelu_checks("gelu", [] {
  return over_shapes([](const Tensor& x) { return gelu(x); }, random_tensor);
});
const OpChecks gelu_tanh_checks("gelu", [] {
  return over_shapes([](const Tensor& x) { return gelu(x, GeluApproximation::tanh); }, random_tensor);
});
const OpChecks pow_checks("pow", [] {
  std::vector<OpCase> all;
  for (const double exponent : {2.0, 0.5, -1.0, 1.7, 0.0, 1.0, 3.0})
    for (const OpCase& one : over_shapes([=](const Tensor& x) { return pow(x, exponent); }, positive))
      all.push_back(one);
  return all;
});

/// x from -40 to 40, close together.
Tensor wide_range() {
  std::vector<double> values;
  for (int i = -4000; i <= 4000; ++i) values.push_back(i * 0.01 + 1e-4);
  return Tensor::from(values, {8001});
}

double worst_relative(const Tensor& got, const std::vector<double>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(expected[i]) < 1e-37) continue;  // f32 has no normal numbers there
    const double value = got.to(DType::f64).data<double>()[i];
    worst = std::max(worst, std::abs(value - expected[i]) / std::abs(expected[i]));
  }
  return worst;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }

Tensor slope_of_gelu(const Tensor& x) {
  Tensor leaf = x.clone();
  leaf.set_requires_grad();
  sum(gelu(leaf)).backward();
  return leaf.grad();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(math_test)

BOOST_AUTO_TEST_CASE(every_element_is_right_over_the_whole_range) {
  const Tensor x = wide_range();
  const Tensor narrow = x.to(DType::f32);
  const auto check = [&](const char* op, Unary function, double (*exact)(double)) {
    std::vector<double> expected, expected_narrow;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      expected.push_back(exact(x.data<double>()[i]));
      expected_narrow.push_back(exact(static_cast<double>(narrow.data<float>()[i])));
    }
    BOOST_TEST(worst_relative(function(x), expected) < 1e-12, op);
    BOOST_TEST(worst_relative(function(narrow), expected_narrow) < 1e-5, op);
  };
  check("exp", exp, [](double v) { return std::exp(v); });
  check("tanh", tanh, [](double v) { return std::tanh(v); });
  check("sigmoid", sigmoid,
        [](double v) { return v < 0 ? std::exp(v) / (1 + std::exp(v)) : 1 / (1 + std::exp(-v)); });
  check("silu", silu,
        [](double v) { return v < 0 ? v * std::exp(v) / (1 + std::exp(v)) : v / (1 + std::exp(-v)); });
  check(
      "gelu", [](const Tensor& t) { return gelu(t); }, [](double v) { return v * normal_cdf(v); });
  check("slope of gelu", slope_of_gelu, [](double v) {
    return normal_cdf(v) + v * std::exp(-0.5 * v * v) / std::sqrt(2 * std::numbers::pi);
  });
}

BOOST_AUTO_TEST_CASE(the_slopes_at_zero_of_relu_and_abs_are_zero) {
  for (const Unary function : {Unary(relu), Unary(abs)}) {
    Tensor x = Tensor::zeros({2});
    x.set_requires_grad();
    sum(function(x)).backward();
    BOOST_TEST(x.grad().to_vector<float>() == (std::vector<float>{0, 0}), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(values_outside_the_domain_become_nan_or_infinite) {
  const Tensor x = Tensor::from({-1.0, 0.0}, {2});
  BOOST_TEST(std::isnan(log(x).data<double>()[0]));
  BOOST_TEST(std::isinf(log(x).data<double>()[1]));
  BOOST_TEST(std::isnan(sqrt(x).data<double>()[0]));
  BOOST_TEST(std::isinf(pow(x, -1).data<double>()[1]));
}

BOOST_AUTO_TEST_CASE(powers_of_every_kind_of_number_are_those_of_the_library) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values{-inf, -2.5, -1, -0.0, 0.0, 1e-200, 0.3, 1, 7, 1e200, inf, std::nan("")};
  const Tensor x = Tensor::from(values, {12});
  for (const double exponent : {-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.7, 2.0, 3.0, 4.0}) {
    const Tensor y = pow(x, exponent);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double exact = std::pow(values[i], exponent), got = y.data<double>()[i];
      BOOST_TEST_CONTEXT(values[i] << " to the power of " << exponent)
      BOOST_CHECK(std::isnan(exact) ? std::isnan(got)
                                    : got == exact || std::abs(got - exact) <= 4e-16 * std::abs(exact));
    }
  }
}

BOOST_AUTO_TEST_CASE(integers_are_refused_with_the_name_of_the_op) {
  BOOST_CHECK_EXCEPTION(exp(Tensor::arange(3, DType::i64)), DTypeError,
                        [](const DTypeError& error) { return std::string(error.what()).find("[exp]") == 0; });
}

BOOST_AUTO_TEST_SUITE_END()
