#pragma once

#include <evenkeel/core/error.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace evenkeel::test {

/// Small generator of test bytes (Marsaglia's xorshift).
class ByteSource {
 public:
  explicit ByteSource(std::uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

/// `good` with a few bytes changed, cut off, extended, or a part copied over another.
inline std::vector<std::byte> mutate(std::vector<std::byte> good, ByteSource& source) {
  const std::size_t kind = source.below(6);
  if (kind == 0) {
    good.resize(source.below(good.size()));
  } else if (kind == 1) {
    for (std::size_t more = 1 + source.below(40); more > 0; --more)
      good.push_back(static_cast<std::byte>(source.next()));
  } else if (kind == 2) {
    const std::size_t from = source.below(good.size()), to = source.below(good.size());
    for (std::size_t i = 0; i < 16 && from + i < good.size() && to + i < good.size(); ++i)
      good[to + i] = good[from + i];
  } else if (kind == 3) {
    good[source.below(good.size())] ^= static_cast<std::byte>(1u << source.below(8));
  } else {
    for (std::size_t count = 1 + source.below(8); count > 0; --count)
      good[source.below(good.size())] = static_cast<std::byte>(source.next());
  }
  return good;
}

}  // namespace evenkeel::test
