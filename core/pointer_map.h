#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace evenkeel::detail {

/// Values by address, in one flat table (open addressing, linear probing): the engine looks one up for every
/// edge of the graph. References last until the next insertion.
template <class Value>
class PointerMap {
 public:
  struct Entry {
    const void* key = nullptr;
    Value value{};
  };

  /// The value of `key`, and whether it was made by this call.
  std::pair<Value&, bool> insert(const void* key) {
    if (2 * (size_ + 1) > table_.size()) grow();
    const std::size_t at = place(key);
    const bool is_new = table_[at].key == nullptr;
    table_[at].key = key;
    size_ += is_new;
    return {table_[at].value, is_new};
  }

  /// Null if there is none.
  Value* find(const void* key) {
    if (size_ == 0) return nullptr;
    Entry& entry = table_[place(key)];
    return entry.key == nullptr ? nullptr : &entry.value;
  }

  /// Takes the value of `key` out; `key` is there.
  Value take(const void* key) {
    std::size_t hole = place(key);
    Value value = std::move(table_[hole].value);
    // Entries behind the hole move up unless that would put them before their home.
    for (std::size_t i = next(hole); table_[i].key != nullptr; i = next(i)) {
      if (((i - home(table_[i].key)) & mask()) < ((i - hole) & mask())) continue;
      table_[hole] = std::move(table_[i]);
      hole = i;
    }
    table_[hole] = Entry();
    --size_;
    return value;
  }

 private:
  std::size_t mask() const { return table_.size() - 1; }
  std::size_t next(std::size_t i) const { return (i + 1) & mask(); }
  std::size_t home(const void* key) const {
    return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(key) * 0x9e3779b97f4a7c15u) >> 32) &
           mask();
  }
  /// Where `key` is, or the free place where it belongs.
  std::size_t place(const void* key) const {
    std::size_t i = home(key);
    while (table_[i].key != nullptr && table_[i].key != key) i = next(i);
    return i;
  }
  void grow() {
    std::vector<Entry> old(table_.empty() ? 16 : 2 * table_.size());
    std::swap(old, table_);
    for (Entry& entry : old)
      if (entry.key != nullptr) table_[place(entry.key)] = std::move(entry);
  }

  std::vector<Entry> table_;
  std::size_t size_ = 0;
};

}  // namespace evenkeel::detail
