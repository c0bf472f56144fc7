#include <evenkeel/report/json_lines.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace evenkeel::report {

JsonLines::JsonLines(const std::string& path, bool append)
    : path_(path), file_(path, append ? std::ios::app : std::ios::trunc) {
  if (!file_)
    throw std::runtime_error("[JsonLines] expected to write " + path + ", got: " + std::strerror(errno));
}

void JsonLines::write(const std::vector<std::pair<std::string, JsonValue>>& record) {
  nlohmann::ordered_json line = nlohmann::ordered_json::object();
  for (const auto& [key, value] : record)
    std::visit([&, &key = key](const auto& v) { line[key] = v; }, value);
  file_ << line.dump() << std::endl;
  if (!file_)
    throw std::runtime_error("[JsonLines] expected to write " + path_ + ", got: " + std::strerror(errno));
}

std::vector<std::map<std::string, double>> read_json_lines(const std::string& path) {
  std::vector<std::map<std::string, double>> records;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    auto& record = records.emplace_back();
    for (const auto& [key, value] : json.items()) {
      if (value.is_number()) record[key] = value.get<double>();
      if (value.is_boolean()) record[key] = value.get<bool>() ? 1 : 0;
    }
  }
  return records;
}

void cut_json_lines(const std::string& path, const std::string& key, double limit) {
  std::ifstream old(path);
  if (!old) return;
  std::string kept;
  for (std::string line; std::getline(old, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains(key) && json[key].is_number() && json[key] <= limit)
      kept += line + "\n";
  }
  std::ofstream file(path);
  file << kept << std::flush;
  if (!file)
    throw std::runtime_error("[cut_json_lines] expected to write " + path + ", got: " + std::strerror(errno));
}

}  // namespace evenkeel::report
