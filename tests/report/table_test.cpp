#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>
#include <boost/test/unit_test.hpp>

#include <stdexcept>

namespace evenkeel::report {

BOOST_AUTO_TEST_SUITE(table_test)

BOOST_AUTO_TEST_CASE(columns_are_aligned_by_characters_not_bytes) {
  Table table({{"layer"}, {"size", Align::right}});
  table.add_row({"3×3", "9"});
  table.add_rule();
  table.add_row({"total", "12,345"});
  BOOST_TEST(table.str() ==
             "layer    size\n"
             "─────────────\n"
             "3×3         9\n"
             "─────────────\n"
             "total  12,345\n");
}

BOOST_AUTO_TEST_CASE(a_row_of_the_wrong_length_is_refused) {
  Table table({{"a"}, {"b"}});
  BOOST_CHECK_THROW(table.add_row({"1"}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(numbers_are_grouped_and_bytes_have_units) {
  BOOST_TEST(with_commas(0) == "0");
  BOOST_TEST(with_commas(999) == "999");
  BOOST_TEST(with_commas(1234567) == "1,234,567");
  BOOST_TEST(with_commas(-1000) == "-1,000");
  BOOST_TEST(format_bytes(512) == "512 B");
  BOOST_TEST(format_bytes(3400) == "3.4 KB");
  BOOST_TEST(format_bytes(999960) == "1.0 MB");
  BOOST_TEST(format_bytes(5e15) == "5000.0 TB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel::report
