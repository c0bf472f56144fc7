#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/pad.h>
#include <evenkeel/nn/upsample.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

namespace {

template <PadMode mode>
std::unique_ptr<Module> make_pad(int rank, const PadOptions& options) {
  if (rank == 1) return std::make_unique<Pad<1, mode>>(options);
  if (rank == 2) return std::make_unique<Pad<2, mode>>(options);
  return std::make_unique<Pad<3, mode>>(options);
}

std::unique_ptr<Module> make_pad(const GoldenCase& golden) {
  const int rank = golden.op[golden.op.size() - 2] - '0';
  const std::string mode = golden.options["mode"];
  const PadOptions options{golden.options["padding"].get<std::vector<std::int64_t>>(),
                           golden.options["value"]};
  if (mode == "reflect") return make_pad<PadMode::reflect>(rank, options);
  if (mode == "replicate") return make_pad<PadMode::replicate>(rank, options);
  if (mode == "circular") return make_pad<PadMode::circular>(rank, options);
  return make_pad<PadMode::constant>(rank, options);
}

UpsampleOptions upsample_options(const GoldenCase& golden) {
  static const std::map<std::string, InterpolationMode> modes{{"nearest", InterpolationMode::nearest},
                                                              {"linear", InterpolationMode::linear},
                                                              {"bilinear", InterpolationMode::bilinear},
                                                              {"trilinear", InterpolationMode::trilinear}};
  UpsampleOptions options{.mode = modes.at(golden.options["mode"]),
                          .align_corners = option(golden, "align_corners", false)};
  if (golden.options.contains("size")) {
    options.size = axes_of(golden.options["size"]);
  } else {
    const auto factors = golden.options["scale_factor"].get<std::vector<double>>();
    options.scale_factor = Factors(std::span<const double>(factors));
  }
  return options;
}

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

/// Nearest with a factor of, say, 2.3 that makes 4 cells of 2: in one and three dimensions PyTorch's forward
/// reads by the factor, its backward (and both in two dimensions) as if the factor were 2. The gradient is
/// not the adjoint.
bool contradicts_itself(const GoldenCase& golden) {
  const double forward = dot(golden.get("y"), golden.get("gy")),
               backward = dot(golden.get("x"), golden.get("grad_x"));
  return std::abs(forward - backward) > 1e-9;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resampling_test)

BOOST_AUTO_TEST_CASE(pads_and_up_sampling_agree_with_pytorch) {
  std::map<std::string, int> count;
  int contradictions = 0;
  for (GoldenCase golden : read_golden("conv_layers.h5")) {
    if (golden.op.rfind("upsample", 0) == 0 && contradicts_itself(golden)) {
      BOOST_TEST_MESSAGE("only the gradient is compared: PyTorch contradicts itself in " << golden.name);
      golden.tensors["y"] = interpolate(golden.get("x"), upsample_options(golden));
      ++contradictions;
    }
    if (golden.op.rfind("pad", 0) == 0)
      check_layer(golden, [&](DType) { return make_pad(golden); });
    else if (golden.op.rfind("upsample", 0) == 0)
      check_layer(golden, [&](DType) { return std::make_unique<Upsample>(upsample_options(golden)); });
    else
      continue;
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
