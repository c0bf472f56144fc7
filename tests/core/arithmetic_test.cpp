#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

OpCases broadcasting(Tensor (*function)(const Tensor&, const Tensor&)) {
  return [=] {
    std::vector<OpCase> cases;
    const std::pair<Shape, Shape> shapes[] = {
        {{3, 3}, {3, 3}}, {{2, 3}, {3}}, {{4, 1}, {1, 3}},          {{2, 1, 3}, {2, 1}},
        {{}, {2, 2}},     {{}, {}},      {{3, 1, 1}, {2, 3, 1, 2}}, {{0, 3}, {3}},
        {{1}, {0}},       {{5}, {1}}};
    for (const auto& [a, b] : shapes)
      cases.push_back({[=](const std::vector<Tensor>& t) { return function(t[0], t[1]); },
                       {away_from_zero(a), away_from_zero(b)}});
    return cases;
  };
}

const OpChecks add_checks("add", broadcasting(add));
const OpChecks sub_checks("sub", broadcasting(sub));
const OpChecks mul_checks("mul", broadcasting(mul));
const OpChecks div_checks("div", broadcasting(div));
const OpChecks mul_itself_checks("mul", [] {
  return over_shapes([](const Tensor& x) { return x * x * x; }, random_tensor);
});
const OpChecks affine_checks("affine", [] {
  return over_shapes([](const Tensor& x) { return affine(x, -1.7, 0.4); }, random_tensor);
});
const OpChecks scale_checks("scale", [] {
  return over_shapes([](const Tensor& x) { return scale(x, 1.3, 1.3); }, random_tensor);
});
const OpChecks sum_to_checks("sum_to", [] {
  std::vector<OpCase> cases;
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 3, 2}, {3, 1}}, {{4}, {}}, {{2, 3}, {2, 3}}, {{0, 3}, {1, 3}}};
  for (const auto& [from, to] : shapes)
    cases.push_back({[target = to](const std::vector<Tensor>& t) { return detail::sum_to(t[0], target); },
                     {random_tensor(from)}});
  return cases;
});

}  // namespace

BOOST_AUTO_TEST_SUITE(arithmetic_test)

BOOST_AUTO_TEST_CASE(operators_are_the_functions) {
  const Tensor a = Tensor::from({1.0, 2.0}, {2}), b = Tensor::from({4.0, 8.0}, {2});
  const auto check = [](const Tensor& got, std::vector<double> expected) {
    BOOST_TEST(got.to_vector<double>() == expected, boost::test_tools::per_element());
  };
  check(a + b, {5, 10});
  check(a - b, {-3, -6});
  check(a * b, {4, 16});
  check(b / a, {4, 4});
  check(a + 1, {2, 3});
  check(a - 1, {0, 1});
  check(a * 3, {3, 6});
  check(a / 2, {0.5, 1});
  check(1 + a, {2, 3});
  check(1 - a, {0, -1});
  check(2 * a, {2, 4});
  check(-a, {-1, -2});
}

BOOST_AUTO_TEST_CASE(scale_multiplies_value_and_gradient_apart) {
  Tensor x = Tensor::from({3.0}, {1});
  x.set_requires_grad();
  const Tensor y = scale(x, 2, 5);
  BOOST_TEST(y.item() == 6);
  y.backward();
  BOOST_TEST(x.grad().item() == 5);
  check_gradients([](const std::vector<Tensor>& t) { return scale(t[0], 2, 5); }, {random_tensor({3})},
                  {.factors = {2.5}});
}

BOOST_AUTO_TEST_CASE(an_undeclared_gradient_factor_is_caught) {
  check_fault_is_caught([](const std::vector<Tensor>& t) { return scale(t[0], 2, 5); }, {random_tensor({3})});
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_broadcast_are_both_named) {
  BOOST_CHECK_EXCEPTION(random_tensor({2, 3}) + random_tensor({4}), ShapeError, [](const ShapeError& error) {
    const std::string text = error.what();
    return text.find("[add]") == 0 && text.find("[2, 3]") != text.npos && text.find("[4]") != text.npos;
  });
}

BOOST_AUTO_TEST_CASE(types_do_not_mix) {
  BOOST_CHECK_THROW(random_tensor({2}) * Tensor::ones({2}), DTypeError);
  BOOST_CHECK_THROW(Tensor::arange(2, DType::i64) + Tensor::arange(2, DType::i64), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()
