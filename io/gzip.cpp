#include <evenkeel/core/error.h>
#include <evenkeel/io/gzip.h>

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace evenkeel::io::detail {

namespace {

/// zlib's state of one decompression.
class Inflater {
 public:
  Inflater() {
    constexpr int kGzip = 16 + MAX_WBITS;
    if (::inflateInit2(&stream_, kGzip) != Z_OK) throw MemoryError("[gunzip] expected memory, got none");
  }
  ~Inflater() { ::inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream* operator->() { return &stream_; }
  int run() { return ::inflate(&stream_, Z_NO_FLUSH); }

 private:
  z_stream stream_{};
};

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::vector<std::byte> gunzip(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.size() > std::numeric_limits<unsigned>::max())
    throw FileError(fmt::format("[gunzip] expected less than 4 GiB in {}, got {} bytes", path, bytes.size()));
  Inflater inflater;
  inflater->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  inflater->avail_in = static_cast<unsigned>(bytes.size());
  std::vector<std::byte> out;
  int status = Z_OK;
  while (status == Z_OK) {
    constexpr std::size_t kLeast = 1 << 16, kMost = 1 << 26;
    const std::size_t done = out.size(), more = std::clamp(done, kLeast, kMost);
    out.resize(done + more);
    inflater->next_out = reinterpret_cast<Bytef*>(out.data() + done);
    inflater->avail_out = static_cast<unsigned>(more);
    status = inflater.run();
    out.resize(done + more - inflater->avail_out);
  }
  if (status != Z_STREAM_END)
    throw FileError(fmt::format("[gunzip] expected a whole gzip file in {}, got: {}", path,
                                inflater->msg != nullptr ? inflater->msg : "it is cut off"));
  if (inflater->avail_in != 0)
    throw FileError(fmt::format("[gunzip] expected one gzip member in {}, got {} bytes after it", path,
                                inflater->avail_in));
  return out;
}

}  // namespace evenkeel::io::detail
