#include <evenkeel/report/progress.h>
#include <evenkeel/report/text.h>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

namespace evenkeel::report {

namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 100;
}

std::string bar(double fraction, int width) {
  const int half_cells = static_cast<int>(std::lround(fraction * 2 * width));
  std::string filled, empty;
  for (int i = 0; i < half_cells / 2; ++i) filled += "━";
  if (half_cells % 2 == 1) filled += "╸";
  for (int i = (half_cells + 1) / 2; i < width; ++i) empty += "━";
  return "\033[32m" + filled + "\033[90m" + empty + "\033[0m";
}

/// `text` cut to `width` columns.
std::string cut(const std::string& text, std::size_t width) {
  std::size_t columns = 0, end = 0;
  while (end < text.size() && columns < width) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    ++columns;
  }
  return text.substr(0, end);
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const auto h = whole / 3600, m = whole / 60 % 60, s = whole % 60;
  return h > 0 ? fmt::format("{}:{:02}:{:02}", h, m, s) : fmt::format("{}:{:02}", m, s);
}

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
  if (options_.mode == ProgressMode::automatic)
    options_.mode =
        options_.out == nullptr && isatty(STDERR_FILENO) ? ProgressMode::bar : ProgressMode::lines;
  if (options_.out == nullptr) options_.out = &std::cerr;
  if (!options_.clock) options_.clock = steady_seconds;
  start_ = last_ = options_.clock();
}

Progress::~Progress() { finish(); }

std::string Progress::status(std::int64_t done, double seconds) const {
  const double rate = seconds > 0 ? static_cast<double>(done - options_.initial) / seconds : 0;
  if (!(rate > 0)) return "";
  const double left = static_cast<double>(options_.total - done) / rate;
  return fmt::format(" · {:.3g} {}/s · {} left", rate, options_.unit, format_duration(left));
}

void Progress::update(std::int64_t done, const std::string& text) {
  if (options_.mode == ProgressMode::quiet) return;
  const double now = options_.clock();
  const double interval = options_.mode == ProgressMode::bar ? options_.bar_interval : options_.line_interval;
  if (now - last_ < interval) return;
  last_ = now;
  draw(done, now, text);
}

void Progress::draw(std::int64_t done, double now, const std::string& text) {
  const double fraction =
      options_.total > 0
          ? std::clamp(static_cast<double>(done) / static_cast<double>(options_.total), 0.0, 1.0)
          : 0;
  const std::string before = options_.label.empty() ? "" : options_.label + " ";
  const std::string after = fmt::format(" {:3.0f}%", 100 * fraction) + status(done, now - start_) +
                            (text.empty() ? "" : " · " + text);
  if (options_.mode == ProgressMode::lines) {
    *options_.out << before << after.substr(after.find_first_not_of(' ')) << std::endl;
    return;
  }
  const std::size_t width = terminal_width() - 1, fixed = text_columns(before) + text_columns(after);
  const int cells = fixed + 10 <= width ? static_cast<int>(std::min<std::size_t>(width - fixed, 40)) : 0;
  *options_.out << "\r\033[K" << cut(before, width) << bar(fraction, cells)
                << cut(after, width - std::min(width, text_columns(before))) << std::flush;
  drawn_ = true;
}

void Progress::finish() {
  if (drawn_) *options_.out << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace evenkeel::report
