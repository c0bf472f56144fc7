#pragma once

#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace evenkeel::kernels {

/// Fetches the lines of the cache that hold `count` elements of a row which will soon be written.
template <class T>
void fetch_to_write(const T* row, std::int64_t count) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  for (std::int64_t i = 0; i < count; i += kLine) __builtin_prefetch(row + i, 1);
}

/// Copies rows: to[i] = row[first + i * step] for i < count, zero where that is outside [0, length). Stores
/// whole vectors: up to kLanes - 1 elements beyond count.
template <class T>
class RowCopy {
 public:
  RowCopy(std::int64_t length, std::int64_t first, std::int64_t step, std::int64_t count)
      : length_(length), first_(first), step_(step), count_(count) {
    few_ = step == 1 && count <= kFew * S::kLanes;
    for (std::int64_t i = 0; few_ && i < count; i += S::kLanes)
      mask_[i / S::kLanes] = S::lanes_between(first + i, 0, length);
  }

  /// `next`: distance of the row that will be wanted soon.
  void copy(const T* row, std::int64_t next, T* to) const {
    const T* from = row + first_;
    if (few_) {
      for (std::int64_t i = 0; i < count_; i += S::kLanes) {
        __builtin_prefetch(from + next + i);
        S::store(to + i, S::load_masked(from + i, mask_[i / S::kLanes]));
      }
    } else if (step_ == 1) {
      for (std::int64_t i = 0; i < count_; i += S::kLanes) {
        __builtin_prefetch(from + next + i);
        S::store(to + i, S::load_between(row, first_ + i, 0, length_));
      }
    } else {
      const IndexRange hit = inside(count_, step_, first_, length_);
      std::fill(to, to + hit.begin, T(0));
      for (std::int64_t i = hit.begin; i < hit.end; ++i) to[i] = from[i * step_];
      std::fill(to + hit.end, to + count_, T(0));
    }
  }

  void clear(T* to) const {
    for (std::int64_t i = 0; i < count_; i += S::kLanes) S::store(to + i, typename S::Vector{});
  }

 private:
  using S = Simd<T>;
  static constexpr std::int64_t kFew = 4;  ///< vectors of a row whose masks are made beforehand

  std::int64_t length_, first_, step_, count_;
  bool few_;
  typename S::Mask mask_[kFew];
};

/// Takes rows apart: cells first + i * kStep + residue for i < count, for each residue that is wanted, zero
/// where they are outside [0, length). Stores whole vectors as RowCopy does.
template <class T, int kStep>
class RowSplit {
 public:
  RowSplit(std::int64_t length, std::int64_t first, std::int64_t count)
      : length_(length), first_(first), count_(count), few_(count <= kFew * S::kLanes) {
    for (std::int64_t i = 0; few_ && i < ceil_div(count, S::kLanes) * kStep; ++i)
      mask_[i] = S::lanes_between(first + i * S::kLanes, 0, length);
    place_.fill(-1);
  }

  /// Cells of `residue`, below kStep, go to `place` elements from where a row is copied to.
  void want(std::int64_t residue, std::int64_t place) { place_[static_cast<std::size_t>(residue)] = place; }

  void copy(const T* row, std::int64_t next, T* to) const {
    const T* from = row + first_;
    Vector v[kStep];
    for (std::int64_t i = 0; i < count_; i += S::kLanes, from += kStep * S::kLanes) {
#pragma GCC unroll 8
      for (int part = 0; part < kStep; ++part) {
        v[part] = few_ ? S::load_masked(from + part * S::kLanes, mask_[i / S::kLanes * kStep + part])
                       : S::load_between(row, first_ + i * kStep + part * S::kLanes, 0, length_);
        if (few_) __builtin_prefetch(from + next + part * S::kLanes);
      }
      [&]<int... kResidue>(std::integer_sequence<int, kResidue...>) {
        ((place_[kResidue] >= 0 ? S::store(to + place_[kResidue] + i, every<T, kStep, kResidue>(v)) : void()),
         ...);
      }
      (std::make_integer_sequence<int, kStep>{});
    }
  }

  void clear(T* to) const {
    for (const std::int64_t place : place_)
      for (std::int64_t i = 0; place >= 0 && i < count_; i += S::kLanes) S::store(to + place + i, Vector{});
  }

 private:
  using S = Simd<T>;
  using Vector = typename S::Vector;
  static constexpr std::int64_t kFew = 3;  ///< vectors of results whose masks are made beforehand

  std::int64_t length_, first_, count_;
  bool few_;
  std::array<std::int64_t, kStep> place_;
  typename S::Mask mask_[kFew * kStep];
};

}  // namespace evenkeel::kernels
