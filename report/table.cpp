#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace evenkeel::report {

namespace {
constexpr std::size_t kGap = 2;
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<std::string> cells) {
  if (cells.size() != columns_.size())
    throw std::invalid_argument("[Table] expected " + std::to_string(columns_.size()) + " cells, got " +
                                std::to_string(cells.size()));
  rows_.push_back(std::move(cells));
}

void Table::add_rule() { rows_.emplace_back(); }

std::string Table::str() const {
  std::vector<std::size_t> widths;
  for (const auto& column : columns_) widths.push_back(text_columns(column.header));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_columns(row[i]));
  const std::size_t total = std::accumulate(widths.begin(), widths.end(), std::size_t{0}) +
                            kGap * (std::max<std::size_t>(columns_.size(), 1) - 1);

  std::string out;
  const auto print_row = [&](const auto& cell) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& text = cell(i);
      const std::string space(widths[i] - text_columns(text), ' ');
      line += (i > 0 ? std::string(kGap, ' ') : "") +
              (columns_[i].align == Align::right ? space + text : text + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  const auto print_rule = [&] {
    for (std::size_t i = 0; i < total; ++i) out += "─";
    out += "\n";
  };
  print_row([&](std::size_t i) -> const std::string& { return columns_[i].header; });
  print_rule();
  for (const auto& row : rows_) {
    if (row.empty())
      print_rule();
    else
      print_row([&](std::size_t i) -> const std::string& { return row[i]; });
  }
  return out;
}

}  // namespace evenkeel::report
