#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

struct PadCase {
  Shape x;
  std::vector<std::int64_t> amounts;
  PadMode mode;
};

const std::vector<PadCase>& cases() {
  static const std::vector<PadCase> all{
      {{2, 3, 5}, {1, 2}, PadMode::constant},
      {{2, 3, 5}, {-1, 2}, PadMode::constant},
      {{2, 3, 5}, {4, 3}, PadMode::reflect},
      {{4, 1}, {3, 2}, PadMode::replicate},
      {{2, 3}, {3, 1}, PadMode::circular},
      {{1, 1, 1}, {0, 0}, PadMode::reflect},
      {{0, 2, 3}, {1, 1}, PadMode::circular},
      {{2, 0}, {2, 1}, PadMode::constant},
      {{2, 3, 4}, {1, 0, 2, 1}, PadMode::constant},
      {{2, 3, 4}, {1, 3, 2, 0}, PadMode::reflect},
      {{1, 2, 3}, {2, 2, 0, 3}, PadMode::replicate},
      {{2, 3, 4}, {4, 0, 1, 3}, PadMode::circular},
      {{2, 2, 3, 2}, {1, 1, 0, 2, 1, 0}, PadMode::constant},
      {{2, 2, 3, 2}, {1, 0, 2, 2, 1, 1}, PadMode::reflect},
      {{1, 2, 3, 2}, {0, 3, 1, 1, 2, 0}, PadMode::replicate},
      {{1, 2, 3, 2}, {2, 2, 3, 0, 1, 2}, PadMode::circular},
  };
  return all;
}

TensorFunction function_of(const PadCase& c) {
  return [=](const std::vector<Tensor>& t) { return pad(t[0], c.amounts, c.mode); };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pad_test)

BOOST_AUTO_TEST_CASE(a_small_row_is_padded_as_the_definition_says) {
  const Tensor x = Tensor::from({1.0, 2.0, 3.0}, {3});
  const auto padded = [&](PadMode mode) { return pad(x, {2, 1}, mode, 9).to_vector<double>(); };
  using Row = std::vector<double>;
  BOOST_TEST(padded(PadMode::constant) == (Row{9, 9, 1, 2, 3, 9}), boost::test_tools::per_element());
  BOOST_TEST(padded(PadMode::reflect) == (Row{3, 2, 1, 2, 3, 2}), boost::test_tools::per_element());
  BOOST_TEST(padded(PadMode::replicate) == (Row{1, 1, 1, 2, 3, 3}), boost::test_tools::per_element());
  BOOST_TEST(padded(PadMode::circular) == (Row{2, 3, 1, 2, 3, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(amounts_start_with_the_last_axis) {
  BOOST_TEST(pad(random_tensor({2, 3, 4}), {1, 2, 3, 4}).shape().str() == "[2, 10, 7]");
}

BOOST_AUTO_TEST_CASE(pads_have_first_and_second_derivatives) {
  for (const PadCase& c : cases()) BOOST_TEST_CONTEXT(c.x.str() << " " << name(c.mode)) {
      check_gradients_twice(function_of(c), {random_tensor(c.x)});
      check_gradients_twice(
          [&](const std::vector<Tensor>& t) { return pad(t[0] * t[0], c.amounts, c.mode, 2); },
          {random_tensor(c.x)});
    }
}

BOOST_AUTO_TEST_CASE(backward_is_the_adjoint_of_forward) {
  Rng rng(5);
  for (const PadCase& c : cases())
    BOOST_TEST(adjoint_test(function_of(c), {random_tensor(c.x)}, rng) <= 1e-12);
}

BOOST_AUTO_TEST_CASE(amounts_that_do_not_fit_are_refused) {
  const Tensor x = random_tensor({2, 3});
  BOOST_CHECK_THROW(pad(x, {3, 0}, PadMode::reflect), ShapeError);
  BOOST_CHECK_THROW(pad(x, {0, 4}, PadMode::circular), ShapeError);
  BOOST_CHECK_THROW(pad(random_tensor({2, 0}), {1, 0}, PadMode::replicate), ShapeError);
  BOOST_CHECK_THROW(pad(x, {-2, -2}), ShapeError);
  BOOST_CHECK_THROW(pad(x, {-1, 0}, PadMode::replicate), ConfigError);
  BOOST_CHECK_THROW(pad(x, {1}), ConfigError);
  BOOST_CHECK_THROW(pad(x, {}), ConfigError);
  BOOST_CHECK_THROW(pad(x, {1, 1, 1, 1, 1, 1}), ShapeError);
  BOOST_CHECK_THROW(pad(Tensor::zeros({3}, DType::i64), {1, 1}), DTypeError);
}

BOOST_AUTO_TEST_CASE(planted_faults_are_caught) {
  const Tensor x = random_tensor({2, 4});
  const auto broken = [](const std::function<Tensor(const Tensor&)>& backward) {
    return [=](const std::vector<Tensor>& t) {
      return record("faulty_pad", {t[0]}, pad(t[0].detach(), {1, 1}, PadMode::replicate),
                    [=](const Tensor& gy, Grads& grads) { grads.add(0, backward(gy)); });
    };
  };
  const auto lost_border = [](const Tensor& gy) { return slice(gy, 1, 1, 5); };
  const auto off_by_one = [](const Tensor& gy) { return slice(gy, 1, 0, 4); };
  const auto right = [=](const Tensor& gy) {
    const Tensor ends = cat({slice(gy, 1, 0, 1), Tensor::zeros({2, 2}, DType::f64), slice(gy, 1, 5, 6)}, 1);
    return lost_border(gy) + ends;
  };
  check_gradients(broken(right), {x});
  check_fault_is_caught(broken(lost_border), {x});
  check_fault_is_caught(broken(off_by_one), {x});
  check_fault_is_caught(broken([=](const Tensor& gy) { return -right(gy); }), {x});
}

BOOST_AUTO_TEST_SUITE_END()
