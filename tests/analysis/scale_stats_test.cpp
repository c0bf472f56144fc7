#include <evenkeel/analysis/scale_stats.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

using namespace evenkeel;
using analysis::scale_stats;
using analysis::ScaleStats;

BOOST_AUTO_TEST_SUITE(scale_stats_test)

BOOST_AUTO_TEST_CASE(deviation_is_that_of_all_elements) {
  const auto tensor = Tensor::from<float>({1, 3, 5, 7}, {2, 2});
  BOOST_TEST(scale_stats(tensor).deviation == std::sqrt(5.0), boost::test_tools::tolerance(1e-15));
  Rng rng(3);
  const Tensor normal = Tensor::randn({100, 1000}, rng);
  BOOST_TEST(scale_stats(normal).deviation == 1.0, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(deviation_of_large_values_with_a_small_spread_is_exact) {
  const auto tensor = Tensor::from<double>({1e8 - 1, 1e8 + 1}, {2});
  BOOST_TEST(scale_stats(tensor).deviation == 1.0);
}

/// The shares of {value, 1, 1, 1} that are a quarter; all others are 0.
void check_shares(double value, DType dtype, const std::vector<double ScaleStats::*>& expected) {
  const Tensor tensor = Tensor::from<double>({value, 1, 1, 1}, {4}).to(dtype);
  const ScaleStats stats = scale_stats(tensor);
  for (const auto share :
       {&ScaleStats::zero, &ScaleStats::subnormal_f16, &ScaleStats::subnormal_f32, &ScaleStats::above_e4m3,
        &ScaleStats::below_e4m3, &ScaleStats::above_e5m2, &ScaleStats::below_e5m2, &ScaleStats::not_finite}) {
    const bool is_expected = std::find(expected.begin(), expected.end(), share) != expected.end();
    const double got = stats.*share;
    BOOST_TEST(got == (is_expected ? 0.25 : 0.0), "value " << value << ": " << got);
  }
}

BOOST_AUTO_TEST_CASE(each_share_counts_what_lies_beyond_its_limit_and_not_the_limit) {
  using S = ScaleStats;
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const double sign : {1.0, -1.0}) {
      check_shares(sign * 0.0, dtype, {&S::zero});
      check_shares(sign * 448, dtype, {});
      check_shares(sign * 448.1, dtype, {&S::above_e4m3});
      check_shares(sign * 57344, dtype, {&S::above_e4m3});
      check_shares(sign * 57345, dtype, {&S::above_e4m3, &S::above_e5m2});
      check_shares(sign * 0x1p-9, dtype, {});
      check_shares(sign * 0x1.fp-10, dtype, {&S::below_e4m3});
      check_shares(sign * 0x1p-14, dtype, {&S::below_e4m3});
      check_shares(sign * 0x1.fp-15, dtype, {&S::below_e4m3, &S::subnormal_f16});
      check_shares(sign * 0x1p-16, dtype, {&S::below_e4m3, &S::subnormal_f16});
      check_shares(sign * 0x1.fp-17, dtype, {&S::below_e4m3, &S::subnormal_f16, &S::below_e5m2});
      check_shares(sign * 0x1p-126, dtype, {&S::below_e4m3, &S::subnormal_f16, &S::below_e5m2});
    }
  }
  check_shares(0x1p-127, DType::f64, {&S::below_e4m3, &S::subnormal_f16, &S::below_e5m2, &S::subnormal_f32});
}

BOOST_AUTO_TEST_CASE(subnormal_f32_is_seen_even_where_the_processor_flushes_it) {
  Tensor tensor = Tensor::ones({4});
  tensor.mutable_data<float>()[2] = std::bit_cast<float>(std::uint32_t{0x807fffffU});
  const ScaleStats stats = scale_stats(tensor);
  BOOST_TEST(stats.subnormal_f32 == 0.25);
  BOOST_TEST(stats.zero == 0);
}

BOOST_AUTO_TEST_CASE(infinite_and_nan_are_counted_and_make_the_deviation_nan) {
  const double inf = std::numeric_limits<double>::infinity();
  const ScaleStats stats = scale_stats(Tensor::from<double>({inf, -inf, std::nan(""), 1}, {4}));
  BOOST_TEST(stats.not_finite == 0.75);
  BOOST_TEST(stats.above_e5m2 == 0.5);
  BOOST_TEST(stats.above_e4m3 == 0.5);
  BOOST_TEST(std::isnan(stats.deviation));
}

BOOST_AUTO_TEST_CASE(empty_tensors_have_no_scale_and_labels_are_refused) {
  BOOST_TEST(scale_stats(Tensor::zeros({0, 3})).zero == 0);
  BOOST_CHECK_THROW(scale_stats(Tensor::arange(3, DType::i64)), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()
