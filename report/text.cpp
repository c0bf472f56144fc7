#include <evenkeel/report/text.h>

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel::report {

std::size_t text_columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string format_bytes(double bytes) {
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  const char* units[] = {"KB", "MB", "GB", "TB"};
  int unit = 0;
  for (bytes /= 1000; bytes >= 999.95 && unit < 3; ++unit) bytes /= 1000;
  return fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace evenkeel::report
