#include <evenkeel/core/error.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <sys/mman.h>

namespace evenkeel {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kClasses = 4 * 64;

/// Four size classes an octave: waste stays under a quarter. Class c holds blocks of class_size(c) bytes.
std::size_t size_class(std::size_t bytes) {
  const std::size_t units = (std::max(bytes, kAlignment) + kAlignment - 1) / kAlignment;
  if (units <= 4) return units - 1;
  const auto octave = static_cast<std::size_t>(std::bit_width(units - 1) - 1);
  return 4 * (octave - 1) + ((units - 1) >> (octave - 2)) - 4;
}

std::size_t class_size(std::size_t index) {
  if (index < 4) return (index + 1) * kAlignment;
  const std::size_t octave = index / 4 + 1;
  return (((index % 4) + 5) << (octave - 2)) * kAlignment;
}

/// Large blocks ask for huge pages: fewer faults when they are first used, fewer TLB misses ever after.
void* system_allocate(std::size_t size) {
  if (size < 2 * kHugePage) return std::aligned_alloc(kAlignment, size);
  void* pointer = std::aligned_alloc(kHugePage, (size + kHugePage - 1) / kHugePage * kHugePage);
  if (pointer != nullptr) madvise(pointer, size, MADV_HUGEPAGE);
  return pointer;
}

struct Cache {
  std::mutex mutex;
  std::array<std::vector<void*>, kClasses> free;
  MemoryStats stats;
  std::size_t limit = 0;

  void release_all() {
    for (auto& list : free) {
      for (void* pointer : list) std::free(pointer);
      list.clear();
    }
    stats.cached = 0;
  }
};

// Never destroyed: tensors with static storage may give their memory back after main.
Cache& cache() {
  static Cache* instance = new Cache;
  return *instance;
}

}  // namespace

void* detail::allocate(std::size_t bytes) {
  const std::size_t index = size_class(bytes);
  const std::size_t size = class_size(index);
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  if (c.limit != 0 && c.stats.in_use + size > c.limit) {
    const std::size_t room = c.limit > c.stats.in_use ? c.limit - c.stats.in_use : 0;
    throw MemoryError("[memory] expected a request within the limit of " + std::to_string(c.limit) +
                      " bytes, got one for " + std::to_string(bytes) + " bytes where " +
                      std::to_string(room) + " would fit");
  }
  void* pointer = nullptr;
  if (auto& list = c.free[index]; !list.empty()) {
    pointer = list.back();
    list.pop_back();
    c.stats.cached -= size;
  } else {
    pointer = system_allocate(size);
    if (pointer == nullptr) {
      c.release_all();
      pointer = system_allocate(size);
    }
    if (pointer == nullptr)
      throw MemoryError("[memory] expected the system to give " + std::to_string(size) + " bytes, got none");
    ++c.stats.system_allocations;
  }
  ++c.stats.allocations;
  c.stats.in_use += size;
  c.stats.peak_in_use = std::max(c.stats.peak_in_use, c.stats.in_use);
  return pointer;
}

void detail::deallocate(void* pointer, std::size_t bytes) noexcept {
  if (pointer == nullptr) return;
  const std::size_t index = size_class(bytes);
  const std::size_t size = class_size(index);
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.stats.in_use -= size;
  c.stats.cached += size;
  c.free[index].push_back(pointer);
}

MemoryStats memory_stats() {
  const std::lock_guard lock(cache().mutex);
  return cache().stats;
}

void reset_peak_memory() {
  const std::lock_guard lock(cache().mutex);
  cache().stats.peak_in_use = cache().stats.in_use;
}

void release_cached() {
  const std::lock_guard lock(cache().mutex);
  cache().release_all();
}

void set_memory_limit(std::size_t bytes) {
  const std::lock_guard lock(cache().mutex);
  cache().limit = bytes;
}

}  // namespace evenkeel
