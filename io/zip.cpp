#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/zip.h>

#include <zlib.h>

#include <cstdint>

namespace evenkeel::io {

namespace {

/// The file's bytes, read as little-endian numbers within its length.
struct Reader {
  const std::string& path;
  std::vector<std::byte> bytes;

  [[noreturn]] void fail(const std::string& what) const {
    throw FileError("[zip] expected " + what + " in " + path + ", got something else");
  }

  std::uint64_t number(std::uint64_t at, int size) const {
    if (at + static_cast<std::uint64_t>(size) > bytes.size()) fail("more bytes");
    std::uint64_t value = 0;
    for (int i = size - 1; i >= 0; --i)
      value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + static_cast<std::uint64_t>(i)]);
    return value;
  }
};

/// Where the list of members begins: the end record is the last with its signature.
std::uint64_t find_directory(const Reader& file) {
  constexpr std::uint64_t kEndRecord = 22;
  for (std::uint64_t at = file.bytes.size() + 1; at-- > kEndRecord;)
    if (file.number(at - kEndRecord, 4) == 0x06054b50) return file.number(at - kEndRecord + 16, 4);
  file.fail("the end record of a zip file");
}

std::vector<std::byte> inflate_raw(const Reader& file, std::uint64_t begin, std::uint64_t packed,
                                   std::uint64_t size) {
  std::vector<std::byte> out(size);
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file.bytes.data() + begin));
  stream.avail_in = static_cast<uInt>(packed);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(size);
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    throw MemoryError("[zip] expected memory to unpack " + file.path);
  const int status = inflate(&stream, Z_FINISH);
  const bool is_whole = status == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!is_whole) file.fail("a whole deflated member");
  return out;
}

}  // namespace

std::vector<std::byte> read_zip_member(const std::string& path) {
  const Reader file{path, read_file(path)};
  const std::uint64_t entry = find_directory(file);
  if (file.number(entry, 4) != 0x02014b50) file.fail("a list of members");
  const std::uint64_t method = file.number(entry + 10, 2), checksum = file.number(entry + 16, 4);
  const std::uint64_t packed = file.number(entry + 20, 4), size = file.number(entry + 24, 4);
  const std::uint64_t header = file.number(entry + 42, 4);
  if (file.number(header, 4) != 0x04034b50) file.fail("a member");
  const std::uint64_t begin = header + 30 + file.number(header + 26, 2) + file.number(header + 28, 2);
  constexpr std::uint64_t kMostExpansion = 1032;  // of deflate: more can not be true
  if (begin + packed > file.bytes.size() || size > packed * kMostExpansion) file.fail("a whole member");
  std::vector<std::byte> out;
  if (method == 8)
    out = inflate_raw(file, begin, packed, size);
  else if (method == 0 && packed == size)
    out.assign(file.bytes.begin() + static_cast<std::ptrdiff_t>(begin),
               file.bytes.begin() + static_cast<std::ptrdiff_t>(begin + size));
  else
    file.fail("a stored or deflated member");
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != checksum)
    file.fail("the checksum of the member");
  return out;
}

}  // namespace evenkeel::io
