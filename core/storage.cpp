#include <evenkeel/core/error.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <immintrin.h>
#include <sys/mman.h>

namespace evenkeel {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kPage = std::size_t{1} << 12, kHugePage = std::size_t{1} << 21;
constexpr std::size_t kClasses = std::size_t{4} * 64;
constexpr std::size_t kSpare = std::size_t{32} << 20;  ///< that is cached in any case

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
  // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): index is below kClasses
  return (((index % 4) + 5) << (octave - 2)) * kAlignment;
}

/// Blocks from here on begin somewhere in a page, not at its first line.
constexpr std::size_t kLarge = 16 * kPage;

/// Blocks of two huge pages and more ask for such: fewer faults when they are first used, fewer TLB misses
/// ever after. The n-th large block begins n golden sections of a page into one: arrays that a loop walks
/// side by side would meet in the same sets of every cache if all began alike (Adam's four then take twice
/// the time).
void* system_allocate(std::size_t size, std::size_t n) {
  constexpr std::size_t kLines = kPage / kAlignment, kGoldenSection = 25;
  if (size < kLarge) return std::aligned_alloc(kAlignment, size);
  const std::size_t unit = size < 2 * kHugePage ? kPage : kHugePage;
  auto* block = static_cast<char*>(std::aligned_alloc(unit, (size + kPage + unit - 1) / unit * unit));
  if (block == nullptr) return nullptr;
  if (unit == kHugePage) madvise(block, size, MADV_HUGEPAGE);
  return block + n * kGoldenSection % kLines * kAlignment;
}

void system_free(void* pointer, std::size_t size) {
  std::free(static_cast<char*>(pointer) -
            (size < kLarge ? 0 : reinterpret_cast<std::uintptr_t>(pointer) % kPage));
}

/// The largest request that `room` bytes can serve.
std::size_t largest_request(std::size_t room) {
  if (room < kAlignment) return 0;
  const std::size_t index = size_class(room);
  return class_size(index) <= room ? class_size(index) : class_size(index - 1);
}

/// A mutex for what takes less time than to put a thread to sleep and to wake it: all threads of a job ask
/// for scratch memory at once.
class SpinLock {
 public:
  void lock() {
    constexpr int kSpins = 1000;
    for (int spins = 0; taken_.exchange(true, std::memory_order_acquire);)
      while (taken_.load(std::memory_order_relaxed))
        spins++ < kSpins ? _mm_pause() : std::this_thread::yield();
  }
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> taken_{false};
};

/// Where this thread's variables lie: tells threads apart.
const void* this_thread() {
  thread_local const char mark = 0;
  return &mark;
}

struct Cache {
  struct Block {
    void* pointer;
    const void* thread;  ///< which gave it back
  };

  struct Class {
    std::vector<Block> blocks;
    std::uint64_t last_used = 0;  ///< stats.allocations when it was last asked for
  };

  SpinLock mutex;
  std::array<Class, kClasses> classes;
  MemoryStats stats;
  std::size_t limit = 0;
  std::size_t most_in_use = 0;  ///< stats.peak_in_use, but never reset

  /// Gives cached blocks back until at most `bytes` are left, those of the sizes longest not asked for first.
  void trim(std::size_t bytes) {
    while (stats.cached > bytes) {
      std::size_t oldest = kClasses;
      for (std::size_t i = 0; i < kClasses; ++i)
        if (!classes[i].blocks.empty() &&
            (oldest == kClasses || classes[i].last_used < classes[oldest].last_used))
          oldest = i;
      system_free(classes[oldest].blocks.back().pointer, class_size(oldest));
      classes[oldest].blocks.pop_back();
      stats.cached -= class_size(oldest);
    }
  }

  /// Takes the block that this thread gave back last, whose lines its processor may still have; another
  /// thread's where it has none among the last.
  static void* take(std::vector<Block>& blocks) {
    constexpr std::ptrdiff_t kLast = 16;
    const auto last = blocks.rbegin() + std::min(std::ssize(blocks), kLast);
    const auto own = std::find_if(blocks.rbegin(), last, [thread = this_thread()](const Block& block) {
      return block.thread == thread;
    });
    const auto found = std::prev(own == last ? blocks.end() : own.base());
    void* pointer = found->pointer;
    blocks.erase(found);
    return pointer;
  }

  /// A block from the system. What is handed out and cached then stays below the limit, and near the most
  /// that was ever handed out: sizes that do not come again are not kept.
  void* fetch(std::size_t size) {
    const std::size_t used = stats.in_use + size;
    const std::size_t most = std::max(most_in_use, used);
    const std::size_t bound = most + most / 4 + kSpare;
    trim((limit != 0 ? std::min(limit, bound) : bound) - used);
    void* pointer = system_allocate(size, stats.system_allocations);
    if (pointer == nullptr) {
      trim(0);
      pointer = system_allocate(size, stats.system_allocations);
    }
    if (pointer == nullptr)
      throw MemoryError("[memory] expected the system to give " + std::to_string(size) + " bytes, got none");
    ++stats.system_allocations;
    return pointer;
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
                      std::to_string(largest_request(room)) + " would fit");
  }
  Cache::Class& blocks = c.classes[index];
  void* pointer = nullptr;
  if (!blocks.blocks.empty()) {
    pointer = Cache::take(blocks.blocks);
    c.stats.cached -= size;
  } else {
    pointer = c.fetch(size);
  }
  blocks.last_used = ++c.stats.allocations;
  c.stats.in_use += size;
  c.stats.peak_in_use = std::max(c.stats.peak_in_use, c.stats.in_use);
  c.most_in_use = std::max(c.most_in_use, c.stats.in_use);
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
  c.classes[index].blocks.push_back({pointer, this_thread()});
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
  cache().trim(0);
}

void set_memory_limit(std::size_t bytes) {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.limit = bytes;
  if (bytes != 0) c.trim(bytes > c.stats.in_use ? bytes - c.stats.in_use : 0);
}

}  // namespace evenkeel
