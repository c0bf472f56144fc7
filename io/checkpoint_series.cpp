#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/checkpoint.h>
#include <evenkeel/io/sealed_file.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

namespace evenkeel::io {

namespace {

/// FileError unless the file is sealed and whole.
void check_whole(const std::string& path) {
  if (!detail::check_seal(read_file(path), path))
    throw FileError(
        fmt::format("[load_checkpoint] expected a checkpoint, got another program's HDF5: {}", path));
}

}  // namespace

CheckpointSeries::CheckpointSeries(const std::string& folder, const CheckpointSeriesOptions& options)
    : folder_(folder), options_(options) {
  if (options.keep < 2)
    throw ConfigError(fmt::format("[checkpoint] expected to keep at least 2, got {}", options.keep));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw FileError(fmt::format("[checkpoint] expected to make {}, got: {}", folder, error.message()));
}

std::vector<std::string> CheckpointSeries::paths() const {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".h5")) paths.push_back(entry.path().string());
  }
  if (error)
    throw FileError(fmt::format("[checkpoint] expected to list {}, got: {}", folder_, error.message()));
  std::sort(paths.begin(), paths.end(), std::greater<>());
  return paths;
}

void CheckpointSeries::save(const Checkpoint& checkpoint, std::int64_t step) const {
  const std::string path = (std::filesystem::path(folder_) / fmt::format("step-{:012d}.h5", step)).string();
  checkpoint.save(path);
  check_whole(path);
  std::vector<std::string> old = paths();
  std::erase_if(old, [&](const std::string& other) { return other >= path; });
  for (std::size_t i = static_cast<std::size_t>(options_.keep) - 1; i < old.size(); ++i) {
    std::error_code error;  // one file too many does no harm
    std::filesystem::remove(old[i], error);
  }
}

std::optional<CheckpointSeries::Loaded> CheckpointSeries::load_latest(Checkpoint& checkpoint) const {
  Loaded loaded;
  for (const std::string& path : paths()) {
    try {
      check_whole(path);
    } catch (const FileError& error) {
      loaded.passed_over.emplace_back(error.what());
      continue;
    }
    checkpoint.load(path);
    loaded.path = path;
    return loaded;
  }
  if (loaded.passed_over.empty()) return {};
  throw FileError(fmt::format("[load_checkpoint] expected a whole checkpoint in {}, got\n  {}", folder_,
                              fmt::join(loaded.passed_over, "\n  ")));
}

}  // namespace evenkeel::io
