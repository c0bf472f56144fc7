#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace evenkeel::report {

using JsonValue = std::variant<double, std::int64_t, bool, std::string>;

/// Writes one JSON object a line, flushed line by line, so that a run that dies leaves what it has.
class JsonLines {
 public:
  /// Starts a new file, or goes on at the end of the one that is there. std::runtime_error with the system's
  /// reason.
  explicit JsonLines(const std::string& path, bool append = false);
  /// Keys in the given order; a number that is not finite becomes null. std::runtime_error if the disk is
  /// full.
  void write(const std::vector<std::pair<std::string, JsonValue>>& record);

 private:
  std::string path_;
  std::ofstream file_;
};

/// The numbers of each line of such a file (true is 1; strings and nulls are left out), in order; a damaged
/// last line is passed over. Empty if there is no such file.
std::vector<std::map<std::string, double>> read_json_lines(const std::string& path);

/// Takes the lines away whose number `key` is above `limit`: what a run wrote after the point to which it
/// goes back. Nothing happens if there is no such file.
void cut_json_lines(const std::string& path, const std::string& key, double limit);

}  // namespace evenkeel::report
