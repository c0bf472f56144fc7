#include <evenkeel/core/error.h>
#include <evenkeel/io/elements.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace evenkeel::io::detail {

namespace {

/// Calls f.operator()<T>() with the C++ type of `type`.
template <class F>
decltype(auto) dispatch(ElementType type, F&& f) {
  switch (type) {
    case ElementType::u8:
      return f.template operator()<std::uint8_t>();
    case ElementType::i8:
      return f.template operator()<std::int8_t>();
    case ElementType::u16:
      return f.template operator()<std::uint16_t>();
    case ElementType::i16:
      return f.template operator()<std::int16_t>();
    case ElementType::u32:
      return f.template operator()<std::uint32_t>();
    case ElementType::i32:
      return f.template operator()<std::int32_t>();
    case ElementType::i64:
      return f.template operator()<std::int64_t>();
    case ElementType::f32:
      return f.template operator()<float>();
    default:
      return f.template operator()<double>();
  }
}

}  // namespace

std::size_t size_of(ElementType type) {
  return dispatch(type, []<class From>() { return sizeof(From); });
}

Tensor decode(std::span<const std::byte> bytes, ElementType type, std::endian order, const Shape& shape,
              DType dtype) {
  Tensor out = Tensor::empty(shape, dtype);
  dispatch(type, [&]<class From>() {
    evenkeel::detail::dispatch_all(dtype, [&]<class To>() {
      To* to = out.mutable_data<To>();
      for (std::int64_t i = 0; i < shape.numel(); ++i) {
        std::array<std::byte, sizeof(From)> element;
        std::memcpy(element.data(), bytes.data() + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
        if (order != std::endian::native) std::reverse(element.begin(), element.end());
        to[i] = static_cast<To>(std::bit_cast<From>(element));
      }
    });
  });
  return out;
}

Shape checked_shape(const char* op, std::span<const std::int64_t> sizes, std::size_t element_bytes,
                    std::size_t bytes, const std::string& path) {
  try {
    const Shape shape(sizes);
    const auto elements = static_cast<std::size_t>(shape.numel());
    if (bytes % element_bytes == 0 && bytes / element_bytes == elements) return shape;
  } catch (const ShapeError&) {
  }
  throw FileError(fmt::format("[{}] expected the data of the shape [{}] in {}, got {} bytes", op,
                              fmt::join(sizes, ", "), path, bytes));
}

}  // namespace evenkeel::io::detail
