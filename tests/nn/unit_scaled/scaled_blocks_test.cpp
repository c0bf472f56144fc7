#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/layers.h>

#include "support/check_gradients.h"
#include "support/deviation.h"

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {
namespace {

using nn::Activator;
using nn::LayerOrder;
using nn::Normalizer;
using nn::Scaler;
using unit_scaled::Constraint;

constexpr std::int64_t kPlanes = 16;

Shape input_shape(int rank) {
  Shape shape{rank == 3 ? 2 : 4, kPlanes};
  for (int axis = 0; axis < rank; ++axis) shape = shape.append(rank == 1 ? 96 : rank == 2 ? 24 : 16);
  return shape;
}

std::string describe(int rank, const nn::ConvModernOptions& o) {
  return fmt::format("{}d norm {} act {} order {} scaler {} stride {}", rank, static_cast<int>(o.normalizer),
                     static_cast<int>(o.activator), static_cast<int>(o.layer_order),
                     static_cast<int>(o.scaler), o.stride.str());
}

/// Output and input gradient.
void check(const std::string& what, int rank, const std::function<std::unique_ptr<nn::Module>(Rng&)>& make) {
  Rng weights(5);
  const test::Deviations got =
      test::deviations_of([&](const std::vector<Tensor>& t) { return (*make(weights))(t[0]); },
                          [&](Rng& rng) { return std::vector{test::unit_leaf(input_shape(rank), rng)}; });
  BOOST_TEST(std::abs(got.output - 1) < 0.1, what << ": output deviation " << got.output);
  BOOST_TEST(std::abs(got.gradients[0] - 1) < 0.1, what << ": gradient deviation " << got.gradients[0]);
}

template <template <int> class Layer, class F>
std::unique_ptr<nn::Module> make_layer(int rank, F&& f) {
  if (rank == 1) return f(std::type_identity<Layer<1>>());
  if (rank == 2) return f(std::type_identity<Layer<2>>());
  return f(std::type_identity<Layer<3>>());
}

std::vector<nn::ConvModernOptions> variants() {
  std::vector<nn::ConvModernOptions> all;
  for (const Normalizer normalizer :
       {Normalizer::batch, Normalizer::inst, Normalizer::pinst, Normalizer::null})
    for (const Activator activator : {Activator::relu, Activator::prelu, Activator::null})
      for (const Scaler scaler : {Scaler::down, Scaler::up})
        for (const std::int64_t stride : {1, 2}) {
          if (scaler == Scaler::up && stride == 1) continue;
          all.push_back({.in_planes = kPlanes,
                         .out_planes = kPlanes,
                         .stride = stride,
                         .normalizer = normalizer,
                         .activator = activator,
                         .scaler = scaler});
        }
  return all;
}

BOOST_AUTO_TEST_SUITE(scaled_blocks_test)

BOOST_AUTO_TEST_CASE(a_modern_layer_keeps_unit_scale) {
  int cases = 0;
  for (const int rank : {1, 2, 3})
    for (nn::ConvModernOptions options : variants())
      for (const LayerOrder order : {LayerOrder::new_, LayerOrder::old}) {
        options.layer_order = order;
        if (rank == 3 && options.stride[0] > 1) continue;
        ++cases;
        check("ConvModern " + describe(rank, options), rank, [&](Rng& rng) {
          return make_layer<unit_scaled::ConvModern>(rank, [&]<class L>(std::type_identity<L>) {
            return std::unique_ptr<nn::Module>(new L(options, rng, Constraint::none));
          });
        });
      }
  BOOST_TEST(cases >= 20);
}

BOOST_AUTO_TEST_CASE(residual_blocks_keep_unit_scale) {
  int cases = 0;
  for (const int rank : {1, 2})
    for (const nn::ConvModernOptions& options : variants()) {
      if (options.normalizer == Normalizer::null) continue;
      for (const double tau : {0.5, 2.0}) {
        ++cases;
        const unit_scaled::ResidualOptions residual{.tau = tau, .constraint = Constraint::none};
        check("BlockPlain " + describe(rank, options), rank, [&](Rng& rng) {
          return make_layer<unit_scaled::BlockPlain>(rank, [&]<class L>(std::type_identity<L>) {
            return std::unique_ptr<nn::Module>(new L(options, rng, residual));
          });
        });
        check("BlockBottleneck " + describe(rank, options), rank, [&](Rng& rng) {
          return make_layer<unit_scaled::BlockBottleneck>(rank, [&]<class L>(std::type_identity<L>) {
            return std::unique_ptr<nn::Module>(new L(options, rng, residual));
          });
        });
      }
    }
  BOOST_TEST(cases >= 20);
}

/// So that a plain net's file and a unit-scaled one's differ in parametrisation only.
BOOST_AUTO_TEST_CASE(parameters_are_named_as_in_the_plain_blocks) {
  Rng rng(1);
  for (nn::ConvModernOptions options : variants()) {
    options.out_planes = 2 * kPlanes;
    const nn::BlockBottleneck1d plain(options, rng);
    const unit_scaled::BlockBottleneck1d scaled(options, rng);
    const auto expected = plain.named_parameters(), got = scaled.named_parameters();
    BOOST_REQUIRE(expected.size() == got.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      BOOST_TEST(got[i].name == expected[i].name);
      BOOST_TEST(got[i].parameter.tensor().shape().str() == expected[i].parameter.tensor().shape().str());
      BOOST_TEST(got[i].parameter.mup_type().has_value());
      BOOST_TEST(!expected[i].parameter.mup_type().has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(tau_weighs_the_branches) {
  Rng rng(1);
  const nn::BlockOptions options{.in_planes = 2, .out_planes = 2};
  const Tensor x = Tensor::randn({2, 2, 8}, rng);
  unit_scaled::BlockPlain1d none(options, rng, {.tau = 0});
  test::check_close(none(x).detach(), x, 1e-6);
}

BOOST_AUTO_TEST_CASE(branches_and_shortcut_of_different_shapes_are_refused) {
  Rng rng(1);
  unit_scaled::BlockPlain1d block({.in_planes = 2, .out_planes = 2, .kernel_size = 4}, rng);
  BOOST_CHECK_THROW(block(Tensor::randn({2, 2, 9}, rng)), ShapeError);
  BOOST_CHECK_THROW(unit_scaled::ConvModern1d({.in_planes = 0, .out_planes = 2}, rng), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
