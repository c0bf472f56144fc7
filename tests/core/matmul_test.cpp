#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

const OpChecks matmul_checks("matmul", [] {
  std::vector<OpCase> cases;
  const std::pair<Shape, Shape> shapes[] = {
      {{3, 4}, {4, 2}},    {{1, 3}, {3, 1}},    {{2, 2, 3}, {2, 3, 2}},
      {{2, 2, 3}, {3, 2}}, {{2, 3}, {2, 3, 2}}, {{2, 1, 2, 2}, {3, 2, 1}},
      {{0, 3}, {3, 2}},    {{2, 0}, {0, 3}},    {{1, 1}, {1, 1}}};
  for (const auto& [a, b] : shapes)
    cases.push_back({[](const std::vector<Tensor>& t) { return matmul(t[0], t[1]); },
                     {random_tensor(a), random_tensor(b)}});
  return cases;
});

const OpChecks linear_checks("linear", [] {
  std::vector<OpCase> cases;
  for (const Shape& x : {Shape{3, 4}, Shape{4}, Shape{2, 1, 4}, Shape{0, 4}}) {
    cases.push_back({[](const std::vector<Tensor>& t) { return linear(t[0], t[1], t[2]); },
                     {random_tensor(x), random_tensor({2, 4}), random_tensor({2})}});
    cases.push_back({[](const std::vector<Tensor>& t) { return linear(t[0], t[1]); },
                     {random_tensor(x), random_tensor({3, 4})}});
  }
  return cases;
});

}  // namespace

BOOST_AUTO_TEST_SUITE(matmul_test)

BOOST_AUTO_TEST_CASE(a_product_over_no_elements_is_zero) {
  const Tensor y = matmul(Tensor::ones({2, 0}), Tensor::ones({0, 3}));
  BOOST_TEST(y.to_vector<float>() == std::vector<float>(6, 0.f), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(linear_is_the_product_with_the_transposed_weight) {
  const Tensor x = random_tensor({3, 4}), weight = random_tensor({2, 4}), bias = random_tensor({2});
  check_close(linear(x, weight, bias), matmul(x, transpose(weight, 0, 1)) + bias, 1e-14);
}

BOOST_AUTO_TEST_CASE(the_bits_do_not_depend_on_the_threads) {
  Rng rng(1);
  const Tensor a = Tensor::randn({130, 70}, rng), b = Tensor::randn({70, 90}, rng);
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    results.push_back(matmul(a, b).to_vector<float>());
  }
  set_num_threads(before);
  BOOST_TEST(results[0] == results[1], boost::test_tools::per_element());
  BOOST_TEST(results[0] == results[2], boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_fit_are_both_named) {
  const auto names_both = [](const ShapeError& error) {
    const std::string text = error.what();
    return text.find("[2, 3]") != text.npos && text.find("[4, 5]") != text.npos;
  };
  BOOST_CHECK_EXCEPTION(matmul(random_tensor({2, 3}), random_tensor({4, 5})), ShapeError, names_both);
  BOOST_CHECK_EXCEPTION(linear(random_tensor({2, 3}), random_tensor({4, 5})), ShapeError, names_both);
  BOOST_CHECK_THROW(matmul(random_tensor({3}), random_tensor({3, 2})), ShapeError);
  BOOST_CHECK_THROW(matmul(random_tensor({2, 1, 3}), random_tensor({3, 3, 2})), ShapeError);
  BOOST_CHECK_THROW(linear(random_tensor({2, 3}), random_tensor({4, 3}), random_tensor({3})), ShapeError);
  BOOST_CHECK_THROW(linear(random_tensor({}), random_tensor({4, 3})), ShapeError);
  BOOST_CHECK_THROW(matmul(random_tensor({2, 3}), Tensor::ones({3, 2})), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()
