#include <evenkeel/report/axis.h>
#include <boost/test/unit_test.hpp>

#include <limits>

namespace evenkeel::report::detail {

namespace {

std::string labels(const Axis& axis) {
  std::string text;
  for (const auto& tick : axis.ticks())
    if (!tick.label.empty()) text += (text.empty() ? "" : " ") + tick.label;
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(axis_test)

BOOST_AUTO_TEST_CASE(linear_ticks_are_round_and_carry_the_decimals_of_their_step) {
  BOOST_TEST(labels(Axis(0, 1, Scale::linear, 5)) == "0 0.2 0.4 0.6 0.8 1.0");
  BOOST_TEST(labels(Axis(84, 93, Scale::linear, 4)) == "85.0 87.5 90.0 92.5");
  BOOST_TEST(labels(Axis(-30, 30, Scale::linear, 3)) == "-20 0 20");
}

BOOST_AUTO_TEST_CASE(a_linear_axis_has_two_labels_however_little_room_there_is) {
  BOOST_TEST(labels(Axis(-1.3, 1.4, Scale::linear, 1)) == "-1 0 1");
  BOOST_TEST(labels(Axis(0.31, 0.38, Scale::linear, 1)) == "0.325 0.350 0.375");
}

BOOST_AUTO_TEST_CASE(large_and_small_numbers_are_short) {
  BOOST_TEST(labels(Axis(0, 20000, Scale::linear, 4)) == "0 5k 10k 15k 20k");
  BOOST_TEST(labels(Axis(0, 3e6, Scale::linear, 6)) == "0 0.5M 1.0M 1.5M 2.0M 2.5M 3.0M");
  BOOST_TEST(labels(Axis(0, 4e-6, Scale::linear, 4)) == "0 1e-06 2e-06 3e-06 4e-06");
}

BOOST_AUTO_TEST_CASE(log_ticks_name_decades_and_more_where_there_is_room) {
  BOOST_TEST(labels(Axis(1e-6, 1, Scale::log, 6)) == "10⁻⁶ 10⁻⁵ 10⁻⁴ 10⁻³ 10⁻² 10⁻¹ 10⁰");
  BOOST_TEST(labels(Axis(1e-6, 1, Scale::log, 3)) == "10⁻⁶ 10⁻⁴ 10⁻² 10⁰");
  BOOST_TEST(labels(Axis(1, 30, Scale::log, 5)) == "1 2 5 10 20");
  BOOST_TEST(labels(Axis(2, 6, Scale::log, 5)) == "2 3 4 5 6");
}

BOOST_AUTO_TEST_CASE(positions_run_from_zero_to_one) {
  BOOST_TEST(Axis(2, 4, Scale::linear, 5).position(3) == 0.5);
  BOOST_TEST(Axis(1, 100, Scale::log, 5).position(10) == 0.5);
  BOOST_TEST(Axis(5, 5, Scale::linear, 5).position(5) == 0.5);
}

BOOST_AUTO_TEST_CASE(what_has_no_place_is_not_held) {
  BOOST_TEST(!Axis(1, 2, Scale::linear, 5).holds(std::numeric_limits<double>::quiet_NaN()));
  BOOST_TEST(!Axis(1, 2, Scale::log, 5).holds(0));
  BOOST_TEST(Axis(1, 2, Scale::linear, 5).holds(0));
}

BOOST_AUTO_TEST_CASE(a_range_passes_over_what_can_not_be_drawn) {
  const std::vector<double> values{3, std::numeric_limits<double>::infinity(), -1, 7};
  const Range linear = range_of({&values}, Scale::linear), log = range_of({&values}, Scale::log);
  BOOST_TEST(linear.low == -1);
  BOOST_TEST(linear.high == 7);
  BOOST_TEST(log.low == 3);
  BOOST_TEST(range_of({}, Scale::linear).high == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel::report::detail
