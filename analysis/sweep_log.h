#pragma once

#include <evenkeel/analysis/sweep.h>

#include <mutex>
#include <string>
#include <vector>

namespace evenkeel::analysis::detail {

/// The file of a sweep, held open and locked.
class SweepLog {
 public:
  /// Opens or creates the file, drops a torn last line, reads the rest. Errors as sweep().
  SweepLog(const std::string& path, const std::string& setup);
  ~SweepLog();
  SweepLog(const SweepLog&) = delete;
  SweepLog& operator=(const SweepLog&) = delete;

  const std::vector<SweepResult>& finished() const { return finished_; }
  /// Appends a line and syncs it. May be called on several threads.
  void append(const SweepResult& result);

 private:
  void read(const std::string& setup);
  void write_line(const std::string& line);
  [[noreturn]] void fail(const std::string& doing) const;

  std::string path_;
  int file_;
  std::mutex mutex_;
  std::vector<SweepResult> finished_;
};

}  // namespace evenkeel::analysis::detail
