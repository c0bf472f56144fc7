#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;
using Mode = InterpolationMode;

namespace {

struct UpsampleCase {
  Shape x;
  InterpolateParameters parameters;
};

const std::vector<UpsampleCase>& cases() {
  static const std::vector<UpsampleCase> all{
      {{2, 3, 4}, {.scale_factor = 2}},
      {{1, 1, 5}, {.size = 3}},
      {{1, 2, 1}, {.size = 4, .mode = Mode::linear}},
      {{2, 1, 5}, {.size = 1, .mode = Mode::linear, .align_corners = true}},
      {{0, 2, 3}, {.scale_factor = 2, .mode = Mode::linear}},
      {{2, 1, 4}, {.scale_factor = 2.3, .mode = Mode::linear}},
      {{2, 1, 4}, {.scale_factor = 1.5, .mode = Mode::linear, .align_corners = true}},
      {{1, 2, 3, 2}, {.scale_factor = {1.5, 2}}},
      {{1, 2, 3, 2}, {.size = {5, 3}, .mode = Mode::bilinear}},
      {{1, 2, 3, 4}, {.size = {7, 2}, .mode = Mode::bilinear, .align_corners = true}},
      {{1, 1, 2, 3, 2}, {.size = {3, 2, 4}}},
      {{1, 1, 2, 3, 2}, {.scale_factor = {2, 1, 1.5}, .mode = Mode::trilinear}},
      {{2, 1, 2, 1, 3}, {.scale_factor = 2, .mode = Mode::trilinear, .align_corners = true}},
  };
  return all;
}

TensorFunction function_of(const InterpolateParameters& parameters) {
  return [=](const std::vector<Tensor>& t) { return interpolate(t[0], parameters); };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(upsample_test)

BOOST_AUTO_TEST_CASE(a_small_row_is_resampled_as_the_definition_says) {
  const Tensor x = Tensor::from({0.0, 4.0}, {1, 1, 2});
  using Row = std::vector<double>;
  const auto values = [&](const InterpolateParameters& p) { return interpolate(x, p).to_vector<double>(); };
  BOOST_TEST(values({.scale_factor = 2}) == (Row{0, 0, 4, 4}), boost::test_tools::per_element());
  BOOST_TEST(values({.scale_factor = 2, .mode = Mode::linear}) == (Row{0, 1, 3, 4}),
             boost::test_tools::per_element());
  BOOST_TEST(values({.size = 5, .mode = Mode::linear, .align_corners = true}) == (Row{0, 1, 2, 3, 4}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(resampling_has_first_and_second_derivatives) {
  for (const auto& [x, parameters] : cases()) BOOST_TEST_CONTEXT(x.str() << " " << name(parameters.mode)) {
      check_gradients_twice(function_of(parameters), {random_tensor(x)});
      check_gradients_twice(
          [&, p = parameters](const std::vector<Tensor>& t) { return interpolate(t[0] * t[0], p); },
          {random_tensor(x)});
    }
}

BOOST_AUTO_TEST_CASE(backward_is_the_adjoint_of_forward) {
  Rng rng(6);
  for (const auto& [x, parameters] : cases())
    BOOST_TEST(adjoint_test(function_of(parameters), {random_tensor(x)}, rng) <= 1e-12);
}

BOOST_AUTO_TEST_CASE(every_parameter_changes_the_result) {
  const Tensor x = random_tensor({1, 2, 5});
  const auto differs = [&](const InterpolateParameters& a, const InterpolateParameters& b) {
    return relative_difference(interpolate(x, a), interpolate(x, b)) > 1e-3;
  };
  BOOST_TEST(differs({.size = 8}, {.size = 9}));
  BOOST_TEST(differs({.scale_factor = 2}, {.scale_factor = 3}));
  BOOST_TEST(differs({.size = 11, .mode = Mode::linear}, {.scale_factor = 2.3, .mode = Mode::linear}));
  BOOST_TEST(differs({.size = 8}, {.size = 8, .mode = Mode::linear}));
  BOOST_TEST(
      differs({.size = 8, .mode = Mode::linear}, {.size = 8, .mode = Mode::linear, .align_corners = true}));
}

BOOST_AUTO_TEST_CASE(wrong_parameters_are_refused) {
  const Tensor x = random_tensor({1, 2, 5});
  BOOST_CHECK_THROW(interpolate(x, {}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.size = 5, .scale_factor = 2}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.size = 5, .mode = Mode::bilinear}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.size = 5, .align_corners = true}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.size = 0}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.scale_factor = -1}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.size = {2, 2}}), ConfigError);
  BOOST_CHECK_THROW(interpolate(x, {.scale_factor = 0.1}), ShapeError);
  BOOST_CHECK_THROW(interpolate(random_tensor({2, 5}), {.size = 5}), ShapeError);
  BOOST_CHECK_THROW(interpolate(random_tensor({1, 2, 0}), {.size = 5}), ShapeError);
}

BOOST_AUTO_TEST_CASE(planted_faults_are_caught) {
  const InterpolateParameters twice{.scale_factor = 2, .mode = Mode::linear};
  const auto broken = [=](const std::function<Tensor(const Tensor&)>& fault) {
    return [=](const std::vector<Tensor>& t) {
      return record("faulty_upsample", {t[0]}, interpolate(t[0].detach(), twice),
                    [=](const Tensor& gy, Grads& grads) {
                      const Tensor x = Tensor::zeros({1, 1, 4}, DType::f64).set_requires_grad();
                      const EnableGradScope scope;
                      grads.add(0, fault(grad({interpolate(x, twice)}, {x}, {gy})[0]));
                    });
    };
  };
  const Tensor x = random_tensor({1, 1, 4});
  check_gradients(broken([](const Tensor& g) { return g; }), {x});
  check_fault_is_caught(broken([](const Tensor& g) { return g * 0.999; }), {x});
  check_fault_is_caught(broken([](const Tensor& g) {
                          return cat({slice(g, 2, 1, 4), slice(g, 2, 0, 1)}, 2);
                        }),
                        {x});
}

BOOST_AUTO_TEST_SUITE_END()
