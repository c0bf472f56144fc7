#include <evenkeel/report/json_lines.h>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace evenkeel::report {

namespace {

struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() / "evenkeel_json_lines_test.jsonl").string();
  ~TemporaryFile() { std::filesystem::remove(path); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(json_lines_test)

BOOST_FIXTURE_TEST_CASE(a_record_is_one_line_in_the_given_order, TemporaryFile) {
  JsonLines(path).write(
      {{"step", std::int64_t{3}}, {"loss", 0.5}, {"best", true}, {"name", std::string("a\"b")}});
  std::ifstream file(path);
  BOOST_TEST(std::string(std::istreambuf_iterator<char>(file), {}) ==
             "{\"step\":3,\"loss\":0.5,\"best\":true,\"name\":\"a\\\"b\"}\n");
}

BOOST_FIXTURE_TEST_CASE(numbers_come_back_to_the_bit, TemporaryFile) {
  JsonLines(path).write({{"loss", 0.1 + 0.2}, {"bad", std::nan("")}});
  const auto records = read_json_lines(path);
  BOOST_REQUIRE(records.size() == 1u);
  BOOST_TEST(records[0].at("loss") == 0.1 + 0.2);
  BOOST_TEST(records[0].count("bad") == 0u);
}

BOOST_FIXTURE_TEST_CASE(appending_keeps_what_is_there_and_a_torn_line_is_passed_over, TemporaryFile) {
  JsonLines(path).write({{"step", std::int64_t{1}}});
  JsonLines(path, true).write({{"step", std::int64_t{2}}});
  std::ofstream(path, std::ios::app) << "{\"step\":";
  BOOST_TEST(read_json_lines(path).size() == 2u);
  JsonLines(path).write({{"step", std::int64_t{9}}});
  BOOST_TEST(read_json_lines(path).size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(lines_beyond_a_step_and_torn_ones_are_cut, TemporaryFile) {
  {
    JsonLines lines(path);
    for (std::int64_t step : {1, 2, 3}) lines.write({{"step", step}, {"loss", 1.0 / 3}});
  }
  std::ofstream(path, std::ios::app) << "{\"step\":";
  cut_json_lines(path, "step", 2);
  std::ifstream file(path);
  BOOST_TEST(std::string(std::istreambuf_iterator<char>(file), {}) ==
             "{\"step\":1,\"loss\":0.3333333333333333}\n{\"step\":2,\"loss\":0.3333333333333333}\n");
  cut_json_lines("/no/such/file", "step", 2);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_an_error) {
  BOOST_CHECK_THROW(JsonLines("/no/such/folder/metrics.jsonl"), std::runtime_error);
  BOOST_TEST(read_json_lines("/no/such/file").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel::report
