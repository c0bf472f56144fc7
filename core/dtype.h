#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace evenkeel {

/// Element type of a tensor: floats carry data and gradients, i64 carries labels and indices.
enum class DType : std::uint8_t { f32, f64, i64 };

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// "f32", "f64" or "i64".
const char* name(DType dtype);

inline bool is_floating(DType dtype) { return dtype != DType::i64; }

template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>,
                "tensors hold float, double or std::int64_t");
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  return DType::i64;
}

namespace detail {

[[noreturn]] void throw_not_floating(const char* op, DType got);

/// Calls f.operator()<T>() with T = float or double; DTypeError "[op] expected f32 or f64" otherwise.
template <class F>
decltype(auto) dispatch_floating(const char* op, DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::i64:
      break;
  }
  throw_not_floating(op, dtype);
}

/// Calls f.operator()<T>() with T of any dtype.
template <class F>
decltype(auto) dispatch_all(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::f64:
      return f.template operator()<double>();
    default:
      return f.template operator()<std::int64_t>();
  }
}

}  // namespace detail
}  // namespace evenkeel
