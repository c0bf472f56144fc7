#include <evenkeel/report/progress.h>
#include <boost/test/unit_test.hpp>

#include <sstream>

namespace evenkeel::report {

BOOST_AUTO_TEST_SUITE(progress_test)

BOOST_AUTO_TEST_CASE(lines_come_at_intervals_and_say_rate_and_time_left) {
  std::ostringstream out;
  double now = 0;
  Progress progress({.label = "epoch 1/2",
                     .total = 100,
                     .mode = ProgressMode::automatic,
                     .line_interval = 10,
                     .out = &out,
                     .clock = [&] { return now; }});
  for (int step = 1; step <= 50; ++step) {
    now = step / 2.0;
    progress.update(step, "loss 0.5");
  }
  BOOST_TEST(out.str() ==
             "epoch 1/2 20% · 2 steps/s · 0:40 left · loss 0.5\n"
             "epoch 1/2 40% · 2 steps/s · 0:30 left · loss 0.5\n");
}

BOOST_AUTO_TEST_CASE(what_was_done_before_does_not_count_for_the_rate) {
  std::ostringstream out;
  double now = 0;
  Progress progress({.total = 100,
                     .initial = 80,
                     .mode = ProgressMode::lines,
                     .line_interval = 1,
                     .out = &out,
                     .clock = [&] { return now; }});
  now = 5;
  progress.update(90);
  BOOST_TEST(out.str() == "90% · 2 steps/s · 0:05 left\n");
}

BOOST_AUTO_TEST_CASE(a_bar_is_redrawn_in_place_and_removed_at_the_end) {
  std::ostringstream out;
  double now = 0;
  Progress progress(
      {.label = "train", .total = 4, .mode = ProgressMode::bar, .out = &out, .clock = [&] { return now; }});
  now = 1;
  progress.update(2);
  progress.finish();
  const std::string text = out.str();
  BOOST_TEST(text.substr(0, 4) == "\r\033[K");
  BOOST_TEST(text.find("━") != std::string::npos);
  BOOST_TEST(text.find(" 50%") != std::string::npos);
  BOOST_TEST(text.substr(text.size() - 4) == "\r\033[K");
  BOOST_TEST(text.find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(quiet_prints_nothing) {
  std::ostringstream out;
  Progress progress({.total = 2, .mode = ProgressMode::quiet, .line_interval = 0, .out = &out});
  progress.update(1);
  progress.finish();
  BOOST_TEST(out.str() == "");
}

BOOST_AUTO_TEST_CASE(durations_are_short) {
  BOOST_TEST(format_duration(7.4) == "0:07");
  BOOST_TEST(format_duration(765) == "12:45");
  BOOST_TEST(format_duration(10930) == "3:02:10");
  BOOST_TEST(format_duration(-1) == "0:00");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel::report
