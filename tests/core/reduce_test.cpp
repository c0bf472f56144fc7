#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

OpCases over_axes(std::function<Tensor(const Tensor&, const std::vector<int>&, bool)> function,
                  bool with_empty) {
  return [=] {
    std::vector<OpCase> cases;
    const auto add = [&](const Shape& shape, const std::vector<int>& axes, bool keepdim) {
      cases.push_back({[=](const std::vector<Tensor>& t) { return function(t[0], axes, keepdim); },
                       {random_tensor(shape)}});
    };
    add({3, 5}, {1}, false);
    add({3, 5}, {0}, true);
    add({3, 5}, {0, 1}, false);
    add({2, 3, 3}, {0, -1}, false);
    add({2, 3, 3}, {1}, true);
    add({7}, {0}, false);
    if (with_empty) {
      add({0, 3}, {1}, false);
      add({2, 64, 0}, {0, 2}, false);
      add({3, 0, 5}, {0, 2}, true);
      add({1}, {0}, true);
    }
    return cases;
  };
}

const OpChecks sum_checks(
    "sum", over_axes(static_cast<Tensor (*)(const Tensor&, const std::vector<int>&, bool)>(sum), true));
const OpChecks mean_checks(
    "mean", over_axes(static_cast<Tensor (*)(const Tensor&, const std::vector<int>&, bool)>(mean), true));
const OpChecks var_checks("var", over_axes([](const Tensor& x, const std::vector<int>& axes,
                                              bool keepdim) { return var(x, axes, 1, keepdim); },
                                           false));
const OpChecks biased_var_checks("var", over_axes([](const Tensor& x, const std::vector<int>& axes,
                                                     bool keepdim) { return var(x, axes, 0, keepdim); },
                                                  true));
const OpChecks sum_of_all_checks("sum", [] {
  return over_shapes([](const Tensor& x) { return sum(x); }, random_tensor);
});
const OpChecks max_checks("max", [] {
  std::vector<OpCase> cases;
  for (const auto& [shape, axis] : {std::pair{Shape{3, 5}, 1},
                                    {Shape{3, 5}, 0},
                                    {Shape{2, 3, 3}, -2},
                                    {Shape{7}, 0},
                                    {Shape{3, 1}, 1},
                                    {Shape{0, 4}, 1}})
    cases.push_back(
        {[at = axis](const std::vector<Tensor>& t) { return max(t[0], at); }, {random_tensor(shape)}});
  return cases;
});

}  // namespace

BOOST_AUTO_TEST_SUITE(reduce_test)

BOOST_AUTO_TEST_CASE(the_sum_of_nothing_is_zero_and_its_mean_is_nan) {
  const Tensor nothing = Tensor::zeros({0, 3});
  BOOST_TEST(sum(nothing).item() == 0);
  BOOST_TEST(std::isnan(mean(nothing).item()));
  BOOST_TEST(sum(nothing, 0).shape().str() == "[3]");
  BOOST_TEST(std::isnan(var(Tensor::ones({1}), {0}).item()));
}

BOOST_AUTO_TEST_CASE(a_scalar_can_be_summed) { BOOST_TEST(sum(Tensor::full({}, 3)).item() == 3); }

BOOST_AUTO_TEST_CASE(the_sum_of_many_numbers_does_not_drift) {
  const Tensor x = Tensor::full({1 << 22}, 0.1);
  BOOST_TEST(sum(x).item() / (0.1 * (1 << 22)) == 1.0, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(max_and_argmax_take_the_first_of_equals) {
  Tensor x = Tensor::from({1.0, 3.0, 3.0, 2.0}, {4});
  x.set_requires_grad();
  BOOST_TEST(argmax(x, 0).item() == 1);
  max(x, 0).backward();
  BOOST_TEST(x.grad().to_vector<double>() == (std::vector<double>{0, 1, 0, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_nan_wins_the_maximum) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = Tensor::from({1.0, nan, 3.0}, {3});
  BOOST_TEST(argmax(x, 0).item() == 1);
  BOOST_TEST(std::isnan(max(x, 0).item()));
}

BOOST_AUTO_TEST_CASE(axes_out_of_range_twice_or_empty_are_refused) {
  BOOST_CHECK_THROW(sum(random_tensor({2, 3}), 2), ShapeError);
  BOOST_CHECK_THROW(sum(random_tensor({2, 3}), {0, -2}), ShapeError);
  BOOST_CHECK_THROW(max(random_tensor({2, 0}), 1), ShapeError);
  BOOST_CHECK_THROW(argmax(random_tensor({2, 0}), 1), ShapeError);
  BOOST_CHECK_THROW(sum(Tensor::arange(3, DType::i64)), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()
