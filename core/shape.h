#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace evenkeel {

/// Sizes of a tensor's axes, outermost first; up to kMaxRank axes, each ≥ 0. A scalar has rank 0.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  /// ShapeError for a negative size, more than kMaxRank axes, or more than 2^62 elements.
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Size of axis `axis`; negative counts from the last. ShapeError when out of range.
  std::int64_t dim(int axis) const { return sizes_[static_cast<std::size_t>(normalize_axis(axis))]; }
  std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(axis)]; }
  /// Number of elements: the product of the sizes, 1 for a scalar.
  std::int64_t numel() const { return numel_; }

  /// `axis` as 0 … rank-1; negative counts from the last. ShapeError when out of range.
  int normalize_axis(int axis) const;
  /// This shape with axis `axis` replaced by `size`.
  Shape with(int axis, std::int64_t size) const;
  Shape without(int axis) const;
  /// Axes [begin, end).
  Shape slice(int begin, int end) const;
  Shape append(std::int64_t size) const;

  operator std::span<const std::int64_t>() const { return {begin(), static_cast<std::size_t>(rank_)}; }
  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }
  bool operator==(const Shape& other) const;

  /// "[20, 16, 50]".
  std::string str() const;

 private:
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::int64_t numel_ = 1;
  int rank_ = 0;
};

/// The shape both broadcast to, as in NumPy. ShapeError "[op] …" with both shapes if there is none.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace evenkeel
