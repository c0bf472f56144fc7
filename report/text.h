#pragma once

#include <cstdint>
#include <string>

namespace evenkeel::report {

/// Columns that UTF-8 text takes on a terminal, one a code point.
std::size_t text_columns(const std::string& text);

/// "1,234,567".
std::string with_commas(std::int64_t number);

/// "512 B", "3.4 KB", "12.0 MB": powers of 1000.
std::string format_bytes(double bytes);

}  // namespace evenkeel::report
