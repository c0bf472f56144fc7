#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace evenkeel::io::detail {

/// Bytes in front of the HDF5 part of our own files: an HDF5 user block, which other readers pass over. It
/// holds the file's length and the XXH3-128 hash of all its other bytes (docs/checkpoint-format.md).
inline constexpr std::size_t kSealBytes = 512;

/// Fills in the first kSealBytes of `file`.
void seal(std::span<std::byte> file);

/// Whether `file` is sealed and whole. False for a plain HDF5 file of another program. FileError if it is
/// neither: cut off, damaged, or of a newer version.
bool check_seal(std::span<const std::byte> file, const std::string& path);

}  // namespace evenkeel::io::detail
