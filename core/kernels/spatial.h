#pragma once

#include <array>
#include <cstdint>

namespace evenkeel::kernels {

using Sizes3 = std::array<std::int64_t, 3>;

/// The first `rank` entries as the last of three, so that every kernel can be written for volumes; the
/// missing leading axes get `fill`.
inline Sizes3 as_volume(int rank, const Sizes3& sizes, std::int64_t fill) {
  Sizes3 volume{fill, fill, fill};
  for (int i = 0; i < rank; ++i) volume[3 - rank + i] = sizes[i];
  return volume;
}

inline std::int64_t product(const Sizes3& sizes) { return sizes[0] * sizes[1] * sizes[2]; }

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Size of the parts, as equal as can be, of a `total` cut into as few of at most `most` as there can be.
constexpr std::int64_t even_part(std::int64_t total, std::int64_t most) {
  return ceil_div(total, ceil_div(total, most));
}

/// Indices o in [0, count) with 0 <= o * step + offset < limit: [begin, end), step >= 1.
struct IndexRange {
  std::int64_t begin, end;
};

inline IndexRange inside(std::int64_t count, std::int64_t step, std::int64_t offset, std::int64_t limit) {
  if (offset >= 0 && offset + (count - 1) * step < limit) return {0, count};  // mostly, without a division
  const std::int64_t begin = offset >= 0 ? 0 : ceil_div(-offset, step);
  const std::int64_t end = offset >= limit ? 0 : (limit - 1 - offset) / step + 1;
  return {begin < count ? begin : count,
          end < begin ? (begin < count ? begin : count) : (end < count ? end : count)};
}

}  // namespace evenkeel::kernels
