#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

const OpChecks dropout_checks("dropout", [] {
  return over_shapes(
      [](const Tensor& x) {
        Rng rng(4);
        return dropout(x, 0.4, rng);
      },
      random_tensor);
});

}  // namespace

BOOST_AUTO_TEST_SUITE(dropout_test)

BOOST_AUTO_TEST_CASE(a_share_p_becomes_zero_and_the_mean_stays) {
  Rng rng(1);
  const Tensor y = dropout(Tensor::ones({200000}), 0.3, rng);
  const std::vector<float> values = y.to_vector<float>();
  const double zeros = static_cast<double>(std::count(values.begin(), values.end(), 0.f)) / 200000;
  BOOST_TEST(std::abs(zeros - 0.3) < 0.005);
  BOOST_TEST(std::abs(mean(y).item() - 1) < 0.01);
}

BOOST_AUTO_TEST_CASE(the_edges_keep_all_or_nothing) {
  Rng rng(1);
  const Tensor x = Tensor::ones({50});
  BOOST_TEST(sum(dropout(x, 0, rng)).item() == 50);
  BOOST_TEST(sum(dropout(x, 1, rng)).item() == 0);
  BOOST_CHECK_THROW(dropout(x, -0.1, rng), ConfigError);
  BOOST_CHECK_THROW(dropout(x, 1.1, rng), ConfigError);
}

BOOST_AUTO_TEST_CASE(the_same_state_drops_the_same_elements) {
  Rng a(9), b(9);
  const Tensor x = Tensor::ones({100});
  BOOST_TEST(dropout(x, 0.5, a).to_vector<float>() == dropout(x, 0.5, b).to_vector<float>(),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
