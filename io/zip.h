#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace evenkeel::io {

/// The first member of the zip file at `path`, unpacked (stored or deflated, below 4 GB) and held against its
/// checksum. FileError for a file that is missing, no zip, damaged or of another kind.
std::vector<std::byte> read_zip_member(const std::string& path);

}  // namespace evenkeel::io
