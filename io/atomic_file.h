#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace evenkeel::io {

/// Replaces the file at `path` by `bytes`, all or nothing: writes a new file beside it, syncs it, renames it
/// over `path` and syncs the folder. Whatever fails, the old file stays whole and no other file is left.
/// FileError with the system's reason.
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

/// The whole file. FileError with the system's reason.
std::vector<std::byte> read_file(const std::string& path);

}  // namespace evenkeel::io
