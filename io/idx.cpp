#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/elements.h>
#include <evenkeel/io/gzip.h>
#include <evenkeel/io/idx.h>

#include <fmt/format.h>

#include <span>
#include <vector>

namespace evenkeel::io {

namespace {

detail::ElementType element_type(int code, const std::string& path) {
  switch (code) {
    case 0x08:
      return detail::ElementType::u8;
    case 0x09:
      return detail::ElementType::i8;
    case 0x0b:
      return detail::ElementType::i16;
    case 0x0c:
      return detail::ElementType::i32;
    case 0x0d:
      return detail::ElementType::f32;
    case 0x0e:
      return detail::ElementType::f64;
    default:
      throw FileError(
          fmt::format("[read_idx] expected an IDX type (8, 9, 11 … 14) in {}, got {}", path, code));
  }
}

/// Values of other types that do not fit whole numbers would change silently.
void check_conversion(detail::ElementType type, DType dtype, const std::string& path) {
  const bool is_real = type == detail::ElementType::f32 || type == detail::ElementType::f64;
  if (is_real && dtype == DType::i64)
    throw DTypeError(fmt::format("[read_idx] expected whole numbers in {}, got floating ones", path));
}

}  // namespace

Tensor read_idx(const std::string& path, DType dtype) {
  std::vector<std::byte> bytes = read_file(path);
  if (detail::is_gzip(bytes)) bytes = detail::gunzip(bytes, path);
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  if (bytes.size() < 4 || at(0) != 0 || at(1) != 0)
    throw FileError(fmt::format("[read_idx] expected an IDX file, got another: {}", path));
  const detail::ElementType type = element_type(static_cast<int>(at(2)), path);
  const std::size_t rank = at(3), header = 4 + 4 * rank;
  if (bytes.size() < header)
    throw FileError(
        fmt::format("[read_idx] expected {} bytes of header in {}, got {}", header, path, bytes.size()));
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 4; i < header; i += 4)
    sizes.push_back(at(i) << 24 | at(i + 1) << 16 | at(i + 2) << 8 | at(i + 3));
  const auto data = std::span(bytes).subspan(header);
  const Shape shape = detail::checked_shape("read_idx", sizes, detail::size_of(type), data.size(), path);
  check_conversion(type, dtype, path);
  return detail::decode(data, type, std::endian::big, shape, dtype);
}

}  // namespace evenkeel::io
