#pragma once

#include <evenkeel/core/error.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

namespace evenkeel {

/// A setting along the spatial axes: one number for all axes, one per axis, or (default-constructed) not set.
/// `.stride = 2`, `.stride = {2, 1}`.
template <class T>
class PerAxis {
 public:
  static constexpr int kMaxAxes = 3;

  PerAxis() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number> PerAxis(Number all) : values_{static_cast<T>(all)}, count_(1) {}
  /// ConfigError for more than three numbers.
  PerAxis(std::initializer_list<T> each) : PerAxis(std::span<const T>(each.begin(), each.size())) {}
  explicit PerAxis(std::span<const T> each) : count_(static_cast<int>(each.size())) {
    if (each.size() > kMaxAxes)
      throw ConfigError("[axes] expected at most 3 numbers, got " + std::to_string(each.size()));
    for (std::size_t i = 0; i < each.size(); ++i) values_[i] = each[i];
  }

  bool is_set() const { return count_ > 0; }
  /// How many numbers were given.
  int count() const { return count_; }
  /// The number of axis `axis`, 0 … 2.
  T operator[](int axis) const { return values_[static_cast<std::size_t>(count_ == 1 ? 0 : axis)]; }
  bool operator==(const PerAxis&) const = default;

  /// The numbers of `rank` axes. ConfigError "[op] expected option …" unless one or `rank` were given, or for
  /// a number below `least`.
  std::array<T, kMaxAxes> over(int rank, const std::string& op, const char* option, T least) const {
    if (count_ != 1 && count_ != rank)
      throw ConfigError("[" + op + "] expected " + option + " as one number or one for each of the " +
                        std::to_string(rank) + " axes, got " + std::to_string(count_) + " numbers");
    std::array<T, kMaxAxes> numbers{};
    for (int axis = 0; axis < rank; ++axis) {
      numbers[static_cast<std::size_t>(axis)] = (*this)[axis];
      if (!((*this)[axis] >= least))
        throw ConfigError("[" + op + "] expected " + option + " of at least " + std::to_string(least) +
                          ", got " + str());
    }
    return numbers;
  }

  /// "2" or "[2, 1]".
  std::string str() const {
    if (count_ == 1) return std::to_string(values_[0]);
    std::string text = "[";
    for (int i = 0; i < count_; ++i)
      text += (i == 0 ? "" : ", ") + std::to_string(values_[static_cast<std::size_t>(i)]);
    return text + "]";
  }

 private:
  std::array<T, kMaxAxes> values_{};
  int count_ = 0;
};

using Axes = PerAxis<std::int64_t>;
using Factors = PerAxis<double>;

}  // namespace evenkeel
