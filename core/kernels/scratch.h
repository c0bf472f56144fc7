#pragma once

#include <evenkeel/core/storage.h>

#include <cstddef>
#include <vector>

namespace evenkeel::kernels {

template <class T>
struct ScratchAllocator {
  using value_type = T;
  ScratchAllocator() = default;
  template <class U>
  ScratchAllocator(const ScratchAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(detail::allocate(count * sizeof(T))); }
  void deallocate(T* pointer, std::size_t count) noexcept { detail::deallocate(pointer, count * sizeof(T)); }
  bool operator==(const ScratchAllocator&) const = default;
};

/// A vector in scratch memory: for what grows with the input, such as a table of the cells of an axis.
template <class T>
using ScratchVector = std::vector<T, ScratchAllocator<T>>;

}  // namespace evenkeel::kernels
