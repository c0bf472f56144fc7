#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace evenkeel::test {

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// Stands for a value of any field; for an optional, of what is in it.
struct AnyValue {
  template <class T>
  requires(!is_optional<T>) operator T() const;
};

template <class Aggregate, std::size_t... I>
consteval bool takes(std::index_sequence<I...>) {
  return requires { Aggregate{((void)I, AnyValue())...}; };
}

}  // namespace detail

/// Number of fields of an aggregate, none of which is an array.
template <class Aggregate, std::size_t count = 32>
consteval std::size_t field_count() {
  static_assert(std::is_aggregate_v<Aggregate>);
  if constexpr (count == 0 || detail::takes<Aggregate>(std::make_index_sequence<count>()))
    return count;
  else
    return field_count<Aggregate, count - 1>();
}

}  // namespace evenkeel::test
