#pragma once

#include <evenkeel/io/hdf5.h>

#include <cstddef>
#include <string>

namespace evenkeel::io::detail {

/// A file of ours in memory: sealed HDF5 whose root says `format` and its version.
Hdf5Writer start_file(const char* format, std::size_t expected_bytes);
/// Seals what was written and replaces `path` by it, all or nothing.
void finish_file(Hdf5Writer& writer, const std::string& path);

/// Opens a file of ours after its hash was checked. FileError for any other file.
Hdf5Reader open_own_file(const std::string& path, const char* format);
/// The same, but takes another program's HDF5 file too.
Hdf5Reader open_any_file(const std::string& path, const char* format);

}  // namespace evenkeel::io::detail
