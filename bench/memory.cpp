#include "memory.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>

#include <fstream>
#include <string>

namespace evenkeel::bench {

namespace {

/// A field of /proc/self/status, in bytes.
double status(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field + ":")) return 1024 * std::stod(line.substr(field.size() + 1));
  throw FileError("[bench] expected " + field + " in /proc/self/status, got none");
}

}  // namespace

double peak_growth(const Case& item) {
  // Threads and libraries get their memory before the count begins.
  conv(Tensor::ones({2, 64, 64}), Tensor::ones({64, 64, 3}), {}, {});
  release_cached();
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
  const double before = status("VmRSS"), files = status("RssFile");
  const Run run = make_run(item, passes(item).back());
  for (int i = 0; i < 3; ++i) run();
  return status("VmHWM") - before - (status("RssFile") - files);
}

}  // namespace evenkeel::bench
