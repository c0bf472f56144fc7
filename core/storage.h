#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace evenkeel {

/// Bytes and counts of the caching allocator, for the whole process.
struct MemoryStats {
  std::size_t in_use = 0;                ///< bytes handed out now
  std::size_t peak_in_use = 0;           ///< largest in_use since the start or reset_peak_memory()
  std::size_t cached = 0;                ///< bytes kept for reuse, with in_use near the largest in_use
  std::uint64_t allocations = 0;         ///< requests served
  std::uint64_t system_allocations = 0;  ///< requests that had to go to the system
};

MemoryStats memory_stats();
void reset_peak_memory();
/// Gives the cached bytes back to the system.
void release_cached();
/// Upper bound on in_use and cached together, in bytes; 0 (the default) means none. Tensors and the scratch
/// memory of kernels count. A request above it throws MemoryError that says what was asked for and what would
/// fit. Not counted: the lists that kernels make of taps, rows and pieces of work, which are small.
void set_memory_limit(std::size_t bytes);

namespace detail {

/// 64-byte aligned memory from the caching allocator; not initialised. MemoryError when there is none.
void* allocate(std::size_t bytes);
/// Gives back what allocate(bytes) returned.
void deallocate(void* pointer, std::size_t bytes) noexcept;

/// Scratch memory of one kernel call: `count` elements of T, not initialised.
template <class T>
class Workspace {
 public:
  explicit Workspace(std::size_t count)
      : bytes_(count * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {}
  ~Workspace() { deallocate(data_, bytes_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// Memory of a tensor, shared by its views; `version` counts the changes in place.
struct Storage {
  explicit Storage(std::size_t size) : bytes(size), data(static_cast<std::byte*>(allocate(size))) {}
  ~Storage() { deallocate(data, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::size_t bytes;
  std::byte* data;
  std::uint64_t version = 0;
};

}  // namespace detail
}  // namespace evenkeel
