#include <evenkeel/core/error.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/unit_scaled/layers.h>

#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using unit_scaled::DepthModuleList;
using unit_scaled::DepthSequential;
using unit_scaled::Linear;
using Depths = std::vector<std::int64_t>;

Linear square(Rng& rng) { return Linear({.in_features = 3, .out_features = 3, .dtype = DType::f64}, rng); }

Depths depths(const nn::Module& module) {
  Depths all;
  for (const nn::Parameter& parameter : module.parameters()) all.push_back(*parameter.mup_scaling_depth());
  return all;
}

BOOST_AUTO_TEST_SUITE(depth_test)

BOOST_AUTO_TEST_CASE(every_parameter_knows_the_length_of_its_container) {
  Rng rng(1);
  DepthSequential stack(square(rng), square(rng), square(rng));
  BOOST_TEST(depths(stack) == Depths({3, 3, 3}));
  stack.push_back(square(rng));
  BOOST_TEST(depths(stack) == Depths({4, 4, 4, 4}));
  BOOST_TEST(depths(DepthModuleList(square(rng), square(rng))) == Depths({2, 2}));
}

/// The published package's containers fail when they are nested.
BOOST_AUTO_TEST_CASE(nested_containers_multiply) {
  Rng rng(1);
  DepthSequential inner(square(rng), square(rng), square(rng)), outer;
  outer.push_back(std::move(inner));
  outer.push_back(square(rng));
  BOOST_TEST(depths(outer) == Depths({6, 6, 6, 2}));
}

BOOST_AUTO_TEST_CASE(the_sequence_computes_one_layer_after_the_other_and_the_list_nothing) {
  Rng rng(1);
  DepthSequential stack(square(rng), square(rng));
  const Tensor x = test::random_tensor({2, 3});
  test::check_close(stack(x).detach(), stack.child("1")(stack.child("0")(x)).detach(), 0);
  DepthModuleList list(square(rng));
  BOOST_CHECK_THROW(list(x), ConfigError);
  BOOST_TEST(!list.has_forward());
}

BOOST_AUTO_TEST_CASE(plain_layers_are_refused) {
  Rng rng(1);
  BOOST_CHECK_THROW(DepthSequential(nn::Linear({.in_features = 3, .out_features = 3}, rng)), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
