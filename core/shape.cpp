#include <evenkeel/core/error.h>
#include <evenkeel/core/shape.h>

#include <algorithm>
#include <vector>

namespace evenkeel {

namespace {

std::string text(std::span<const std::int64_t> sizes) {
  std::string out = "[";
  for (std::size_t i = 0; i < sizes.size(); ++i) out += (i ? ", " : "") + std::to_string(sizes[i]);
  return out + "]";
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > kMaxRank)
    throw ShapeError("[shape] expected at most 8 axes, got " + std::to_string(sizes.size()));
  bool empty = false;
  for (const std::int64_t size : sizes) {
    if (size < 0) throw ShapeError("[shape] expected sizes of at least 0, got " + text(sizes));
    empty |= size == 0;
  }
  for (const std::int64_t size : sizes) {
    if (!empty && numel_ > (std::int64_t{1} << 62) / size)
      throw ShapeError("[shape] expected at most 2^62 elements, got " + text(sizes));
    sizes_[static_cast<std::size_t>(rank_++)] = size;
    if (!empty) numel_ *= size;
  }
  if (empty) numel_ = 0;
}

int Shape::normalize_axis(int axis) const {
  const int normal = axis < 0 ? axis + rank_ : axis;
  if (normal < 0 || normal >= rank_)
    throw ShapeError("[shape] expected an axis of " + str() + ", got " + std::to_string(axis));
  return normal;
}

Shape Shape::with(int axis, std::int64_t size) const {
  std::vector<std::int64_t> sizes(begin(), end());
  sizes[static_cast<std::size_t>(normalize_axis(axis))] = size;
  return Shape(sizes);
}

Shape Shape::without(int axis) const {
  std::vector<std::int64_t> sizes(begin(), end());
  sizes.erase(sizes.begin() + normalize_axis(axis));
  return Shape(sizes);
}

Shape Shape::slice(int first, int last) const {
  return Shape(std::span(begin() + first, static_cast<std::size_t>(std::max(0, last - first))));
}

Shape Shape::append(std::int64_t size) const {
  std::vector<std::int64_t> sizes(begin(), end());
  sizes.push_back(size);
  return Shape(sizes);
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string Shape::str() const { return text({begin(), end()}); }

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t left = i <= a.rank() ? a[a.rank() - i] : 1;
    const std::int64_t right = i <= b.rank() ? b[b.rank() - i] : 1;
    if (left != right && left != 1 && right != 1)
      throw ShapeError(std::string("[") + op + "] expected shapes that broadcast, got " + a.str() + " and " +
                       b.str());
    sizes[static_cast<std::size_t>(rank - i)] = left == 1 ? right : left;
  }
  return Shape(sizes);
}

}  // namespace evenkeel
