#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace evenkeel::io {

/// Replaces the file at `path` by `bytes`, all or nothing: writes a new file beside it, syncs it, renames it
/// over `path` and syncs the folder. Keeps the permissions of the old file. Whatever fails, `path` is whole,
/// old or (if only the folder could not be synced) new, and no other file is left. Several threads or
/// processes may save to one path: the last wins. FileError with the system's reason.
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

/// The whole file. FileError with the system's reason.
std::vector<std::byte> read_file(const std::string& path);

}  // namespace evenkeel::io
