#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

const OpChecks prelu_checks("prelu", [] {
  std::vector<OpCase> cases;
  const auto add = [&](const Shape& x, std::int64_t slopes) {
    cases.push_back({[](const std::vector<Tensor>& t) { return prelu(t[0], t[1]); },
                     {away_from_zero(x), random_tensor({slopes})}});
  };
  add({2, 3, 3}, 3);
  add({2, 3, 3}, 1);
  add({5}, 1);
  add({}, 1);
  add({4, 2}, 2);
  add({0, 2, 3}, 2);
  add({2, 2, 0}, 2);
  return cases;
});

const auto along_every_axis = [](Tensor (*function)(const Tensor&, int)) {
  return [function] {
    std::vector<OpCase> cases;
    for (const auto& [shape, axis] : {std::pair{Shape{3, 5}, 1},
                                      {Shape{3, 5}, 0},
                                      {Shape{2, 3, 3}, -2},
                                      {Shape{7}, 0},
                                      {Shape{3, 1}, 1},
                                      {Shape{0, 4}, 1},
                                      {Shape{4, 0}, 1}})
      cases.push_back({[=, at = axis](const std::vector<Tensor>& t) { return function(t[0], at); },
                       {random_tensor(shape)}});
    return cases;
  };
};

const OpChecks softmax_checks("softmax", along_every_axis(softmax));
const OpChecks log_softmax_checks("log_softmax", along_every_axis(log_softmax));

}  // namespace

BOOST_AUTO_TEST_SUITE(activation_test)

BOOST_AUTO_TEST_CASE(prelu_wants_one_slope_or_one_a_channel) {
  BOOST_CHECK_THROW(prelu(random_tensor({2, 3}), random_tensor({2})), ShapeError);
  BOOST_CHECK_THROW(prelu(random_tensor({3}), random_tensor({3})), ShapeError);
  BOOST_CHECK_THROW(prelu(random_tensor({2, 3}), random_tensor({1, 3})), ShapeError);
  BOOST_CHECK_THROW(prelu(random_tensor({2, 3}), Tensor::ones({3})), DTypeError);
}

BOOST_AUTO_TEST_CASE(prelu_sums_the_slope_gradients_of_many_rows_to_the_same_bits_on_any_number_of_threads) {
  Rng rng(3);
  const Tensor x = Tensor::randn({64, 5, 700}, rng);
  const int before = num_threads();
  std::vector<std::vector<float>> gradients;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    Tensor weight = Tensor::full({5}, 0.25);
    weight.set_requires_grad();
    prelu(x, weight).backward(x);
    gradients.push_back(weight.grad().to_vector<float>());
  }
  set_num_threads(before);
  BOOST_TEST(gradients[0] == gradients[1], boost::test_tools::per_element());
  BOOST_TEST(gradients[0] == gradients[2], boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(softmax_of_large_values_does_not_overflow) {
  const Tensor x = Tensor::from({1e4f, 1e4f, -1e4f}, {3});
  BOOST_TEST(softmax(x, 0).to_vector<float>() == (std::vector<float>{0.5f, 0.5f, 0.f}),
             boost::test_tools::per_element());
  BOOST_TEST(log_softmax(x, 0).data<float>()[0] == -std::log(2.f), boost::test_tools::tolerance(1e-6f));
  BOOST_TEST(log_softmax(x, 0).data<float>()[2] == -2e4f - std::log(2.f),
             boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(a_nan_stays_a_nan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from({1.f, nan}, {2}), slope = Tensor::ones({1});
  for (const Tensor& y : {relu(x), prelu(x, slope), gelu(x), silu(x), sigmoid(x), tanh(x), softmax(x, 0)})
    BOOST_TEST(std::isnan(y.data<float>()[1]));
}

BOOST_AUTO_TEST_CASE(softmax_of_integers_or_along_no_axis_is_refused) {
  BOOST_CHECK_THROW(softmax(Tensor::arange(3, DType::i64), 0), DTypeError);
  BOOST_CHECK_THROW(softmax(random_tensor({2, 3}), 2), ShapeError);
  BOOST_CHECK_THROW(log_softmax(random_tensor({2, 3}), -3), ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
