#pragma once

#include <string>
#include <vector>

namespace evenkeel::report {

enum class Align { left, right };

struct Column {
  std::string header = {};
  Align align = Align::left;
};

/// Text in aligned columns, with a rule under the header:
///   layer   output          parameters
///   ──────────────────────────────────
///   stem    [1, 16, 28, 28]        144
class Table {
 public:
  explicit Table(std::vector<Column> columns);
  /// std::invalid_argument unless there is one cell a column.
  void add_row(std::vector<std::string> cells);
  /// A rule between the row before and the row after.
  void add_rule();
  /// The whole table, each line ended.
  std::string str() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

}  // namespace evenkeel::report
