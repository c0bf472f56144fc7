#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace evenkeel::io::detail {

/// Whether the bytes begin like a gzip file.
bool is_gzip(std::span<const std::byte> bytes);

/// The content of a gzip file with one member. FileError if it is damaged, cut off or followed by other
/// bytes. `path` is for the error's text.
std::vector<std::byte> gunzip(std::span<const std::byte> bytes, const std::string& path);

}  // namespace evenkeel::io::detail
