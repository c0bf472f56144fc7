#include "support/check_gradients.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/flatten.h>
#include <evenkeel/nn/pooling.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using evenkeel::test::check_close;
using evenkeel::test::random_tensor;

BOOST_AUTO_TEST_SUITE(pooling_test)

BOOST_AUTO_TEST_CASE(layers_pass_every_option_on) {
  const Tensor x = random_tensor({2, 3, 9}), image = random_tensor({2, 3, 7, 8}),
               volume = random_tensor({1, 2, 5, 6, 7});
  const MaxPoolOptions max{.kernel_size = 3, .stride = 2, .padding = 1, .dilation = 2, .ceil_mode = true};
  const AvgPoolOptions avg{
      .kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false};
  check_close(MaxPool1d(max)(x), max_pool1d(x, max), 0);
  check_close(MaxPool2d(max)(image), max_pool2d(image, max), 0);
  check_close(MaxPool3d(max)(volume), max_pool3d(volume, max), 0);
  check_close(AvgPool1d(avg)(x), avg_pool1d(x, avg), 0);
  check_close(AvgPool2d(avg)(image), avg_pool2d(image, avg), 0);
  check_close(AvgPool3d(avg)(volume), avg_pool3d(volume, avg), 0);
  check_close(AdaptiveAvgPool1d(4)(x), adaptive_avg_pool1d(x, 4), 0);
  check_close(AdaptiveAvgPool2d({2, 3})(image), adaptive_avg_pool2d(image, {2, 3}), 0);
  check_close(AdaptiveAvgPool3d(2)(volume), adaptive_avg_pool3d(volume, 2), 0);
}

BOOST_AUTO_TEST_CASE(each_option_changes_the_output) {
  const Tensor x = random_tensor({1, 1, 10});
  const auto size = [&](const MaxPoolOptions& options) { return MaxPool1d(options)(x).dim(2); };
  BOOST_TEST(size({.kernel_size = 3}) == 3);
  BOOST_TEST(size({.kernel_size = 3, .stride = 1}) == 8);
  BOOST_TEST(size({.kernel_size = 3, .padding = 1}) == 4);
  BOOST_TEST(size({.kernel_size = 3, .dilation = 2}) == 2);
  BOOST_TEST(size({.kernel_size = 3, .ceil_mode = true}) == 4);
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused_when_the_layer_is_made) {
  const auto is_named = [](const ConfigError& error) {
    return std::string(error.what()).find("[MaxPool2d]") == 0;
  };
  BOOST_CHECK_EXCEPTION(MaxPool2d({.kernel_size = {2, 2, 2}}), ConfigError, is_named);
  BOOST_CHECK_EXCEPTION(MaxPool2d({.kernel_size = 2, .padding = 2}), ConfigError, is_named);
  BOOST_CHECK_THROW(AvgPool1d({.kernel_size = 0}), ConfigError);
  BOOST_CHECK_THROW(AdaptiveAvgPool2d({1, 0}), ConfigError);
}

BOOST_AUTO_TEST_CASE(layers_print_their_options) {
  BOOST_TEST(MaxPool2d({.kernel_size = 2}).str() ==
             "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)");
  BOOST_TEST(AvgPool1d({.kernel_size = 3, .stride = 1}).str() ==
             "AvgPool1d(kernel_size=3, stride=1, padding=0, ceil_mode=False, count_include_pad=True)");
  BOOST_TEST(AdaptiveAvgPool2d({2, 3}).str() == "AdaptiveAvgPool2d(output_size=[2, 3])");
}

BOOST_AUTO_TEST_CASE(flatten_keeps_the_batch) {
  BOOST_TEST(Flatten()(random_tensor({2, 3, 4})).shape().str() == "[2, 12]");
  BOOST_TEST(Flatten(0, 1)(random_tensor({2, 3, 4})).shape().str() == "[6, 4]");
  BOOST_TEST(Flatten().str() == "Flatten(start_dim=1, end_dim=-1)");
}

BOOST_AUTO_TEST_SUITE_END()
