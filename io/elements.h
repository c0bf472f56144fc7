#pragma once

#include <evenkeel/core/tensor.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace evenkeel::io::detail {

/// Element types of data files.
enum class ElementType : std::uint8_t { u8, i8, u16, i16, u32, i32, i64, f32, f64 };

std::size_t size_of(ElementType type);

/// The elements, which fill `bytes`, as a tensor of type `dtype`.
Tensor decode(std::span<const std::byte> bytes, ElementType type, std::endian order, const Shape& shape,
              DType dtype);

/// The shape, if its elements of `element_bytes` fill exactly `bytes`: checked before memory is asked for.
/// FileError "[op] … <path>" otherwise.
Shape checked_shape(const char* op, std::span<const std::int64_t> sizes, std::size_t element_bytes,
                    std::size_t bytes, const std::string& path);

}  // namespace evenkeel::io::detail
