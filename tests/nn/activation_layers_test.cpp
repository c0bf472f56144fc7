#include "support/check_gradients.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/activation.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using evenkeel::test::check_close;
using evenkeel::test::random_tensor;

BOOST_AUTO_TEST_SUITE(activation_layers_test)

BOOST_AUTO_TEST_CASE(each_layer_is_its_function) {
  const Tensor x = random_tensor({3, 4});
  check_close(ReLU()(x), relu(x), 0);
  check_close(GELU()(x), gelu(x), 0);
  check_close(GELU(GeluApproximation::tanh)(x), gelu(x, GeluApproximation::tanh), 0);
  check_close(SiLU()(x), silu(x), 0);
  check_close(Sigmoid()(x), sigmoid(x), 0);
  check_close(Tanh()(x), tanh(x), 0);
  check_close(Softmax(0)(x), softmax(x, 0), 0);
  check_close(LogSoftmax(-1)(x), log_softmax(x, -1), 0);
}

BOOST_AUTO_TEST_CASE(prelu_has_one_slope_or_one_a_channel_and_trains_them) {
  PReLU one, many({.num_parameters = 4, .init = 0.1, .dtype = DType::f64});
  BOOST_TEST(one.weight().tensor().to_vector<float>() == std::vector<float>{0.25f},
             boost::test_tools::per_element());
  const Tensor x = random_tensor({3, 4, 2});
  check_close(many(x), relu(x) - 0.1 * relu(-x), 1e-15);
  sum(many(x)).backward();
  BOOST_TEST(many.weight().tensor().grad().shape().str() == "[4]");
  BOOST_CHECK_THROW(PReLU({.num_parameters = 0}), ConfigError);
}

BOOST_AUTO_TEST_CASE(layers_print_their_options) {
  BOOST_TEST(PReLU({.num_parameters = 3}).str() == "PReLU(num_parameters=3)");
  BOOST_TEST(GELU(GeluApproximation::tanh).str() == "GELU(approximate='tanh')");
  BOOST_TEST(Softmax(1).str() == "Softmax(dim=1)");
}

BOOST_AUTO_TEST_SUITE_END()
