#include "kernel_support.h"

#include <evenkeel/core/kernels/vmath.h>

using namespace evenkeel;
using namespace evenkeel::test;
namespace vmath = kernels::vmath;

namespace {

/// Distance in units of the last place of the exact value, subnormal results counted as normal ones.
double ulps(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(got)) return rounded == got ? 0 : 1e9;
  const float size = std::max(std::abs(rounded), std::numeric_limits<float>::min());
  return std::abs(double(got) - exact) / double(std::nextafter(size, 2 * size) - size);
}

constexpr float kLeastNormalLog = -87.33f;  ///< e^x is a subnormal number below

template <class F, class G>
void check_ulps(F f, G exact, float low, float high, double bound, int steps = 200000) {
  double worst = 0;
  float at = 0;
  for (int i = 0; i <= steps; ++i) {
    const float x = low + (high - low) * (float(i) / steps);
    const double error = ulps(f(x), exact(double(x)));
    if (error > worst) worst = error, at = x;
  }
  BOOST_CHECK_MESSAGE(worst <= bound, "off by " << worst << " ulp at " << at << ", bound " << bound);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vmath_kernel_test)

BOOST_AUTO_TEST_CASE(f32_functions_are_within_three_ulp) {
  const auto exp = [](float x) { return vmath::exp(x); };
  const auto log = [](float x) { return vmath::log(x); };
  const auto tanh = [](float x) { return vmath::tanh(x); };
  const auto sigmoid = [](float x) { return vmath::sigmoid(x); };
  const auto exact_sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (const auto& [low, high] :
       {std::pair{-1e-3f, 1e-3f}, {-1.0f, 1.0f}, {-12.0f, 12.0f}, {-110.0f, 95.0f}}) {
    check_ulps(
        exp, [](double x) { return std::exp(x); }, low, high, 2);
    check_ulps(
        tanh, [](double x) { return std::tanh(x); }, low, high, 3);
    check_ulps(sigmoid, exact_sigmoid, std::max(low, kLeastNormalLog), high, 3);
    check_ulps([](float x) { return vmath::exp_of_negative(x); }, [](double x) { return std::exp(x); },
               std::max(low, kLeastNormalLog), 0, 2);
  }
  for (const auto& [low, high] : {std::pair{1e-40f, 1e-37f}, {1e-30f, 1.0f}, {0.5f, 2.0f}, {1.0f, 1e30f}})
    check_ulps(
        log, [](double x) { return std::log(x); }, low, high, 2);
  for (const auto& [low, high] : {std::pair{0.0f, 1e-37f}, {1e-30f, 1e-3f}, {0.0f, 1.0f}})
    check_ulps([](float x) { return vmath::log1p_of_unit(x); }, [](double x) { return std::log1p(x); }, low,
               high, 2);
}

BOOST_AUTO_TEST_CASE(gelu_is_off_by_no_more_than_the_rounding_of_x_squared) {
  const auto within = [](auto f, auto exact, float low, float high) {
    const auto squares = double(std::max(low * low, high * high)) / 2;
    check_ulps(f, exact, low, high, 5 + squares, 2000);
  };
  for (int i = -130; i < 130; ++i) {
    const float low = 0.1f * i, high = 0.1f * (i + 1);
    within([](float x) { return vmath::gelu(x); }, [](double x) { return vmath::gelu(x); }, low, high);
    within([](float x) { return vmath::normal_cdf(x); }, [](double x) { return vmath::normal_cdf(x); }, low,
           high);
    if (i < -12 || i > -4)  // the slope has a zero between
      within([](float x) { return vmath::gelu_slope(x); }, [](double x) { return vmath::gelu_slope(x); }, low,
             high);
  }
  for (const float x : {1e-30f, -1e-30f, 1e-6f, -1e-6f})
    BOOST_CHECK_LE(ulps(vmath::gelu(x), vmath::gelu(double(x))), 4);
}

BOOST_AUTO_TEST_CASE(special_values_are_those_of_the_library) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float x : {0.0f, -0.0f, 1.0f, inf, -inf, nan, 200.0f, -200.0f}) {
    BOOST_TEST_CONTEXT(x) {
      BOOST_CHECK_LE(ulps(vmath::exp(x), std::exp(double(x))), 2);
      BOOST_CHECK_LE(ulps(vmath::log(x), std::log(double(x))), 2);
      BOOST_CHECK_LE(ulps(vmath::tanh(x), std::tanh(double(x))), 2);
      BOOST_CHECK_LE(ulps(vmath::sigmoid(x), 1 / (1 + std::exp(-double(x)))), 2);
      BOOST_CHECK_LE(ulps(vmath::normal_cdf(x), vmath::normal_cdf(double(x))), 2);
      if (!std::isinf(x)) BOOST_CHECK_LE(ulps(vmath::gelu(x), vmath::gelu(double(x))), 2);
      if (!std::isinf(x)) BOOST_CHECK_LE(ulps(vmath::gelu_slope(x), vmath::gelu_slope(double(x))), 2);
      if (!(x > 0)) BOOST_CHECK_LE(ulps(vmath::exp_of_negative(x), std::exp(double(x))), 2);
    }
  }
  BOOST_CHECK_EQUAL(vmath::exp(0.0f), 1.0f);
}

BOOST_AUTO_TEST_CASE(results_below_the_normal_range_may_be_0_and_never_more) {
  for (const float x : {-87.4f, -90.0f, -103.0f, -1000.0f}) {
    BOOST_CHECK_LE(vmath::exp_of_negative(x), std::numeric_limits<float>::min());
    BOOST_CHECK_LE(vmath::sigmoid(x), std::numeric_limits<float>::min());
    BOOST_CHECK_GE(vmath::sigmoid(x), 0);
  }
  BOOST_CHECK_EQUAL(vmath::normal_cdf(-20.0f), 0.0f);
  BOOST_CHECK_EQUAL(vmath::normal_cdf(20.0f), 1.0f);
}

BOOST_AUTO_TEST_CASE(f64_sigmoid_does_not_overflow) {
  BOOST_CHECK_EQUAL(vmath::sigmoid(-1000.0), 0.0);
  BOOST_CHECK_EQUAL(vmath::sigmoid(1000.0), 1.0);
  BOOST_CHECK_CLOSE(vmath::sigmoid(-3.0), 0.047425873177566781, 1e-12);
}

BOOST_AUTO_TEST_SUITE_END()
