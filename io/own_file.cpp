#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/own_file.h>
#include <evenkeel/io/sealed_file.h>

#include <fmt/format.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace evenkeel::io::detail {

namespace {

constexpr std::int64_t kFormatVersion = 1;

Hdf5Reader open(const std::string& path, const char* format, bool allow_others) {
  std::vector<std::byte> bytes = read_file(path);
  const bool is_ours = check_seal(bytes, path);
  if (!is_ours && !allow_others)
    throw FileError(fmt::format("[load] expected {} in {}, got HDF5 of another program", format, path));
  Hdf5Reader reader(std::move(bytes), path);
  if (!is_ours) return reader;
  const std::string found = reader.text("/", "format").value_or("none");
  const std::int64_t version = reader.number("/", "format_version").value_or(0);
  if (found != format || version != kFormatVersion)
    throw FileError(fmt::format("[load] expected {}, version {} in {}, got {}, version {}", format,
                                kFormatVersion, path, found, version));
  return reader;
}

}  // namespace

Hdf5Writer start_file(const char* format, std::size_t expected_bytes) {
  Hdf5Writer writer(kSealBytes, expected_bytes);
  writer.attribute("/", "format", format);
  writer.attribute("/", "format_version", kFormatVersion);
  return writer;
}

void finish_file(Hdf5Writer& writer, const std::string& path) {
  std::vector<std::byte> bytes = writer.finish();
  seal(bytes);
  write_file_atomically(path, bytes);
}

Hdf5Reader open_own_file(const std::string& path, const char* format) { return open(path, format, false); }
Hdf5Reader open_any_file(const std::string& path, const char* format) { return open(path, format, true); }

}  // namespace evenkeel::io::detail
