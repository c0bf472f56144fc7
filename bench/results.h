#pragma once

#include "measure.h"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace evenkeel::bench {

/// One pass of one case at one number of threads.
struct Row {
  std::string name, group, pass;
  int threads = 1;
  double ms = 0;
  double torch_ms = 0;  ///< 0 if PyTorch was not asked
  Work work = {};
  double best_rate = 0;  ///< GFLOP/s, or GB/s where the pass computes nothing, of the machine at that time

  double ratio() const { return torch_ms / ms; }  ///< how many times faster than PyTorch
};

/// Peak bytes of a training step, beyond what the process had before the net was made.
struct MemoryRow {
  std::string name;
  double bytes = 0;
  double torch_bytes = 0;  ///< 0 if PyTorch was not asked
};

struct Results {
  Machine machine;
  std::string build, torch;  ///< versions
  std::vector<Row> rows;
  std::vector<MemoryRow> memory;
};

/// The machine and the two versions.
std::string machine_text(const Results& results);
/// Our own numbers: a line a pass, thread counts side by side.
std::string own_table(const Results& results);
/// Beside PyTorch's, worst rows first, `most` of them.
std::string comparison_table(const Results& results,
                             std::size_t most = std::numeric_limits<std::size_t>::max());
std::string memory_table(const Results& results);
/// Geometric mean and worst case of every group, as a Markdown table, and of the memory.
std::string summary(const Results& results);
/// How many rows PyTorch is ahead in, and a table of the ten worst.
std::string worst_rows(const Results& results);
/// "geometric mean …" and "worst … where", a line each.
std::string verdict(const Results& results);

/// against_torch.json, against_torch.md, summary.md and against_torch.svg in `folder`, which exists.
void write_results(const Results& results, const std::string& folder);

}  // namespace evenkeel::bench
