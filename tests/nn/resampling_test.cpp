#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/error.h>
#include <evenkeel/nn/pad.h>
#include <evenkeel/nn/upsample.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

BOOST_AUTO_TEST_SUITE(resampling_test)

BOOST_AUTO_TEST_CASE(pads_and_up_sampling_agree_with_pytorch) {
  std::map<std::string, int> count;
  int contradictions = 0;
  for (GoldenCase golden : read_golden("conv_layers.h5")) {
    if (contradicts_itself(golden)) {
      BOOST_TEST_MESSAGE("only the gradient is compared: PyTorch contradicts itself in " << golden.name);
      golden.tensors["y"] = (*make_golden_layer(golden, DType::f64))(golden.get("x"));
      ++contradictions;
    }
    if (golden.op.rfind("pad", 0) != 0 && golden.op.rfind("upsample", 0) != 0) continue;
    check_layer(golden);
    ++count[golden.op];
  }
  BOOST_TEST(contradictions == 5);
  for (const char* rank : {"1d", "2d", "3d"}) {
    BOOST_TEST(count[std::string("pad") + rank] == 32);
    BOOST_TEST(count[std::string("upsample") + rank] == 42);
  }
}

BOOST_AUTO_TEST_CASE(one_pad_amount_is_for_all_sides) {
  const Tensor x = random_tensor({1, 2, 3, 4});
  BOOST_TEST(ReflectionPad2d({.padding = {1}})(x).shape().str() == "[1, 2, 5, 6]");
  check_close(ReplicationPad2d({.padding = {2}})(x), ReplicationPad2d({.padding = {2, 2, 2, 2}})(x), 0);
  BOOST_TEST(CircularPad3d({.padding = {0, 1, 0, 0, 1, 0}})(x).shape().str() == "[1, 3, 3, 5]");
  BOOST_TEST(relative_difference(ConstantPad2d({.padding = {1}, .value = 2})(x),
                                 ConstantPad2d({.padding = {1}})(x)) > 0.1);
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused_when_the_layer_is_made) {
  BOOST_CHECK_THROW(ReflectionPad1d({.padding = {1, 2, 3}}), ConfigError);
  BOOST_CHECK_THROW(ReflectionPad1d({}), ConfigError);
  BOOST_CHECK_THROW(CircularPad1d({.padding = {-1}}), ConfigError);
  BOOST_CHECK_THROW(ReplicationPad1d({.padding = {1}, .value = 2}), ConfigError);
  BOOST_CHECK_THROW(ConstantPad1d({.padding = {1}})(random_tensor({3})), ShapeError);
  BOOST_CHECK_THROW(Upsample({}), ConfigError);
  BOOST_CHECK_THROW(Upsample({.size = 4, .scale_factor = 2}), ConfigError);
  BOOST_CHECK_THROW(Upsample({.size = 4, .align_corners = true}), ConfigError);
  BOOST_CHECK_THROW(Upsample({.size = {4, 4}, .mode = InterpolationMode::linear}), ConfigError);
  BOOST_CHECK_THROW(Upsample({.scale_factor = {2, 0}}), ConfigError);
  BOOST_CHECK_THROW(Upsample({.size = 4, .mode = InterpolationMode::bilinear})(random_tensor({1, 1, 3})),
                    ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()
