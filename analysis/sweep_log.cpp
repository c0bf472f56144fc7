#include <evenkeel/analysis/sweep_log.h>
#include <evenkeel/core/error.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

namespace evenkeel::analysis::detail {

namespace {

using Json = nlohmann::ordered_json;

std::string to_line(const SweepResult& result) {
  Json line{{"family", result.run.family},
            {"width", result.run.width},
            {"rate", result.run.rate},
            {"seed", result.run.seed},
            {"loss", nullptr},
            {"seconds", std::round(1000 * result.seconds) / 1000}};
  if (std::isfinite(result.loss)) line["loss"] = result.loss;
  return line.dump();
}

SweepResult from_json(const Json& line) {
  SweepResult result;
  result.run = {line.at("family"), line.at("width"), line.at("rate"), line.at("seed")};
  const Json& loss = line.at("loss");
  result.loss = loss.is_null() ? std::numeric_limits<double>::quiet_NaN() : loss.get<double>();
  result.seconds = line.at("seconds");
  return result;
}

}  // namespace

SweepLog::SweepLog(const std::string& path, const std::string& setup)
    : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0) fail("open");
  try {
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) fail("lock");
    read(setup);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

SweepLog::~SweepLog() { ::close(file_); }

void SweepLog::fail(const std::string& doing) const {
  throw FileError("[sweep] expected to " + doing + " " + path_ + ", got: " + std::strerror(errno));
}

void SweepLog::read(const std::string& setup) {
  std::string text;
  char buffer[65536];
  for (ssize_t count; (count = ::read(file_, buffer, sizeof buffer)) != 0;) {
    if (count < 0) fail("read");
    text.append(buffer, static_cast<std::size_t>(count));
  }
  const std::size_t whole = text.rfind('\n') + 1;  // npos + 1 = 0
  if (whole != text.size() && ::ftruncate(file_, static_cast<off_t>(whole)) != 0) fail("cut");
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < whole;) {
    const std::size_t end = text.find('\n', begin);
    const Json line = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    begin = end + 1;
    ++number;
    try {
      if (number > 1)
        finished_.push_back(from_json(line));
      else if (const std::string found = line.at("setup"); found != setup)
        throw ConfigError(fmt::format("[sweep] expected {} to hold a sweep of the setup \"{}\", got \"{}\"",
                                      path_, setup, found));
    } catch (const nlohmann::json::exception&) {
      throw FileError("[sweep] expected a line of a sweep, got something else: " + path_ + ":" +
                      std::to_string(number));
    }
  }
  if (number == 0) write_line(Json{{"setup", setup}}.dump());
}

void SweepLog::append(const SweepResult& result) {
  const std::lock_guard lock(mutex_);
  write_line(to_line(result));
}

void SweepLog::write_line(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write");
    done += static_cast<std::size_t>(count);
  }
  if (::fsync(file_) != 0) fail("sync");
}

}  // namespace evenkeel::analysis::detail
