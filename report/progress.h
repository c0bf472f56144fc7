#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace evenkeel::report {

/// Where a progress report goes: `automatic` is a bar on a terminal and lines elsewhere.
enum class ProgressMode { automatic, bar, lines, quiet };

struct ProgressOptions {
  std::string label = {};      ///< stands before the bar: "epoch 3/10"
  std::int64_t total = 0;      ///< units to do
  std::int64_t initial = 0;    ///< units done before the start, which do not count for the rate
  std::string unit = "steps";  ///< for the rate: "steps" prints "41.2 steps/s"
  ProgressMode mode = ProgressMode::automatic;
  double bar_interval = 0.1;           ///< seconds between redraws of the bar
  double line_interval = 10;           ///< seconds between lines
  std::ostream* out = nullptr;         ///< standard error if null
  std::function<double()> clock = {};  ///< seconds since any moment; the steady clock if empty
};

/// Shows how far a loop is, how fast it goes and how long it will take:
///   epoch 1/4 ━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━  52% · 61.3 steps/s · 0:04 left · loss 0.412
/// On a terminal the bar is redrawn in place; elsewhere a line is printed now and then.
class Progress {
 public:
  explicit Progress(ProgressOptions options);
  /// Ends the bar's line, so that what follows starts on a fresh one.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units are done; `text` follows the bar ("loss 0.412").
  void update(std::int64_t done, const std::string& text = {});
  /// Removes the bar. The caller prints what is to stay.
  void finish();

 private:
  std::string status(std::int64_t done, double seconds) const;
  void draw(std::int64_t done, double now, const std::string& text);

  ProgressOptions options_;
  double start_;
  double last_;
  bool drawn_ = false;
};

/// "0:07", "12:45", "3:02:10".
std::string format_duration(double seconds);

}  // namespace evenkeel::report
