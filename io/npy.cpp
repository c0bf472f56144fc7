#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/elements.h>
#include <evenkeel/io/npy.h>

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace evenkeel::io {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads the header's text, a Python dict with three known keys.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    Header header;
    std::set<std::string> keys;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      if (!keys.insert(key).second) fail();
      expect(':');
      if (key == "descr")
        header.descr = string();
      else if (key == "fortran_order")
        header.fortran_order = boolean();
      else if (key == "shape")
        header.shape = tuple();
      else
        fail();
      if (!accept(',') && peek() != '}') fail();
    }
    if (keys.size() != 3 || peek() != '\0') fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const {
    throw FileError(
        fmt::format("[read_npy] expected a header with descr, fortran_order and shape in {}, got "
                    "something else at byte {} of it",
                    path_, at_));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail();
    const std::size_t begin = ++at_, end = text_.find(quote, begin);
    if (end == std::string_view::npos) fail();
    at_ = end + 1;
    return std::string(text_.substr(begin, end - begin));
  }
  bool boolean() {
    peek();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    fail();
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> values;
    expect('(');
    while (!accept(')')) {
      peek();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (error != std::errc() || value < 0) fail();
      at_ = static_cast<std::size_t>(end - text_.data());
      values.push_back(value);
      if (!accept(',') && peek() != ')') fail();
    }
    return values;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

std::optional<detail::ElementType> element_type(std::string_view kind) {
  using detail::ElementType;
  constexpr std::pair<std::string_view, ElementType> kTypes[] = {
      {"b1", ElementType::u8},  {"u1", ElementType::u8},  {"i1", ElementType::i8},  {"u2", ElementType::u16},
      {"i2", ElementType::i16}, {"u4", ElementType::u32}, {"i4", ElementType::i32}, {"i8", ElementType::i64},
      {"f4", ElementType::f32}, {"f8", ElementType::f64}};
  for (const auto& [name, type] : kTypes)
    if (name == kind) return type;
  return {};
}

DType dtype_for(detail::ElementType type) {
  if (type == detail::ElementType::f32) return DType::f32;
  return type == detail::ElementType::f64 ? DType::f64 : DType::i64;
}

}  // namespace

Tensor read_npy(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
  if (text.size() < 12 || !text.starts_with(kMagic))
    throw FileError(fmt::format("[read_npy] expected a .npy file, got another: {}", path));
  const std::size_t version = at(6), begin = version == 1 ? 10 : 12;
  if (version < 1 || version > 3)
    throw FileError(fmt::format("[read_npy] expected version 1 to 3 in {}, got {}", path, version));
  const std::size_t size = at(8) | at(9) << 8 | (version == 1 ? 0 : at(10) << 16 | at(11) << 24);
  if (size > text.size() - begin)
    throw FileError(
        fmt::format("[read_npy] expected {} bytes of header in {}, got {}", size, path, text.size() - begin));
  const Header header = HeaderParser(text.substr(begin, size), path).parse();
  const std::string_view descr = header.descr;
  const auto type = descr.empty() ? std::nullopt : element_type(descr.substr(1));
  if (!type || std::string_view("<>|=").find(descr[0]) == std::string_view::npos)
    throw FileError(
        fmt::format("[read_npy] expected numbers of up to 64 bits in {}, got type \"{}\"", path, descr));
  if (header.fortran_order)
    throw FileError(
        fmt::format("[read_npy] expected C order in {}, got Fortran order: save it by "
                    "np.ascontiguousarray()",
                    path));
  const auto data = std::span(bytes).subspan(begin + size);
  const Shape shape =
      detail::checked_shape("read_npy", header.shape, detail::size_of(*type), data.size(), path);
  const std::endian order = descr[0] == '>' ? std::endian::big : std::endian::little;
  return detail::decode(data, *type, order, shape, dtype_for(*type));
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const char* descr = tensor.dtype() == DType::f32 ? "<f4" : tensor.dtype() == DType::f64 ? "<f8" : "<i8";
  std::string shape;
  for (const std::int64_t size : tensor.shape()) shape += fmt::format("{}, ", size);
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);
  if (tensor.rank() == 1) shape.pop_back();
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, shape);
  constexpr std::size_t kFixed = 10, kAlignment = 64;
  while ((kFixed + text.size() + 1) % kAlignment != 0) text += ' ';
  text += '\n';
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  bytes += text;
  evenkeel::detail::dispatch_all(tensor.dtype(), [&]<class T>() {
    bytes.append(reinterpret_cast<const char*>(tensor.data<T>()),
                 static_cast<std::size_t>(tensor.numel()) * sizeof(T));
  });
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace evenkeel::io
