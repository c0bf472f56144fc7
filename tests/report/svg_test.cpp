#include <evenkeel/report/svg.h>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>

namespace evenkeel::report {

namespace {

int count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<int>(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), {}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(svg_test)

BOOST_AUTO_TEST_CASE(every_series_is_a_line_with_its_name_in_the_legend) {
  const LineChart chart{.title = "Loss",
                        .x_label = "epoch",
                        .y_label = "loss",
                        .series = {{"train", {1, 2, 3}, {3, 2, 1}}, {"test", {1, 2, 3}, {4, 3, 2}, true}}};
  const std::string text = svg({chart});
  BOOST_TEST(count(text, "<polyline") == 2);
  for (const char* word : {">train<", ">test<", ">Loss<", ">epoch<"})
    BOOST_TEST(count(text, word) == 1, word << " is missing");
}

BOOST_AUTO_TEST_CASE(the_highest_point_is_above_the_lowest) {
  const LineChart chart{.series = {{"", {0, 1}, {0, 10}}}};
  std::smatch points;
  const std::string text = svg({chart});
  BOOST_REQUIRE(
      std::regex_search(text, points, std::regex("points=\"([0-9.]+),([0-9.]+) ([0-9.]+),([0-9.]+) ")));
  BOOST_TEST(std::stod(points[1]) < std::stod(points[3]));
  BOOST_TEST(std::stod(points[2]) > std::stod(points[4]));
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_finite_breaks_the_line) {
  const LineChart chart{.series = {{"", {0, 1, 2, 3, 4}, {1, 2, std::nan(""), 2, 1}}}};
  const std::string text = svg({chart});
  BOOST_TEST(count(text, "<polyline") == 2);
  BOOST_TEST(count(text, "nan") == 0);
}

BOOST_AUTO_TEST_CASE(names_are_escaped) {
  const std::string text = svg({LineChart{.title = "a < b & \"c\"", .series = {}}});
  BOOST_TEST(count(text, "a &lt; b &amp; &quot;c&quot;") == 1);
}

BOOST_AUTO_TEST_CASE(a_heat_map_writes_the_number_of_every_cell) {
  const std::string text = svg({HeatMap{
      .rows = {"a", "b"}, .columns = {"c", "d", "e"}, .values = {1.25, 2, 3, 4, 5, 6}, .decimals = 2}});
  BOOST_TEST(count(text, ">1.25<") == 1);
  BOOST_TEST(count(text, ">6.00<") == 1);
}

/// The bars of a chart of two, one up and one down, must meet where they start and be equally long.
void check_bars_up_and_down(const BarChart& chart) {
  const std::string text = svg({chart}, {.panel_width = 300});
  const std::regex bar(
      "<rect x=\"[0-9.]+\" y=\"([0-9.]+)\" width=\"[0-9.]+\" height=\"([0-9.]+)\" fill=\"#0072b2\"");
  std::vector<double> y, height;
  for (std::sregex_iterator it(text.begin(), text.end(), bar), end; it != end; ++it) {
    y.push_back(std::stod((*it)[1]));
    height.push_back(std::stod((*it)[2]));
  }
  BOOST_REQUIRE(y.size() == 3u);  // the legend's square, then the bars
  BOOST_TEST(y[1] + height[1] == y[2], boost::test_tools::tolerance(0.01));
  BOOST_TEST(height[1] == height[2], boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(bars_below_zero_hang_from_the_axis) {
  check_bars_up_and_down({.categories = {"up", "down"}, .bars = {{"speed", {2, -2}}}});
}

BOOST_AUTO_TEST_CASE(on_a_log_axis_bars_start_at_one) {
  check_bars_up_and_down(
      {.categories = {"up", "down"}, .bars = {{"speed", {2, 0.5}}}, .y_scale = Scale::log});
}

BOOST_AUTO_TEST_CASE(panels_stand_side_by_side_or_in_rows) {
  const Panel panel = LineChart{.series = {{"", {0, 1}, {0, 1}}}};
  const SvgOptions row{.panel_width = 100, .panel_height = 90};
  const SvgOptions column{.panel_width = 100, .panel_height = 90, .columns = 1};
  BOOST_TEST(count(svg({panel, panel}, row), "width=\"230\" height=\"110\"") == 2);
  BOOST_TEST(count(svg({panel, panel}, column), "width=\"120\" height=\"210\"") == 2);
}

BOOST_AUTO_TEST_CASE(lengths_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(svg({LineChart{.series = {{"a", {1, 2}, {1}}}}}), std::invalid_argument);
  BOOST_CHECK_THROW(svg({BarChart{.categories = {"a"}, .bars = {{"b", {1, 2}}}}}), std::invalid_argument);
  BOOST_CHECK_THROW(svg({HeatMap{.rows = {"a"}, .columns = {"b"}, .values = {}}}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_file_holds_the_same_text) {
  const auto path = std::filesystem::temp_directory_path() / "evenkeel_svg_test.svg";
  const Panel panel = LineChart{.title = "file", .series = {}};
  save_svg(path.string(), {panel});
  std::ifstream file(path);
  BOOST_TEST(std::string(std::istreambuf_iterator<char>(file), {}) == svg({panel}));
  std::filesystem::remove(path);
  BOOST_CHECK_THROW(save_svg("/no/such/folder/a.svg", {panel}), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel::report
