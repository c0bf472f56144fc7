#pragma once

#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/pool_windows.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace evenkeel::kernels {

/// Folds the windows of planes: the rows of a window as wholes, vector by vector, then its columns. A Fold is
/// a vector of what is kept of the cells seen so far:
///   Element, kEmpty             what cells are; one that changes nothing
///   value                       a vector of Element
///   place                       if kPlaces: their flat indices in the plane, integers as wide as Element
///   offer(next), turned<n>()    takes the cells of another; the same Fold from lane n on, and around
///   kMean                       whether to divide by how many cells the window counts
template <class Fold>
class PoolFold {
 public:
  using T = typename Fold::Element;

  explicit PoolFold(const Windows& w)
      : w_(w),
        by_stride_(in_vectors(w) ? w.stride : 0),
        length_(length_of_row()),
        rows_together_(std::clamp<std::int64_t>(kTogether / length_, 1, 8)) {
    for (const Window& d : w.axis[0])
      for (const Window& h : w.axis[1]) {
        for (std::int64_t i = d.begin; i < d.end; i += d.step)
          for (std::int64_t j = h.begin; j < h.end; j += h.step) rows_.push_back((i * w.in[1] + j) * w.in[2]);
        windows_.push_back({rows_.size(), static_cast<T>(d.counted * h.counted)});
      }
    if (Fold::kMean)
      for (const Window& window : w.axis[2]) counted_.push_back(static_cast<T>(window.counted));
    counted_.resize(counted_.size() + S::kLanes, T(1));
    if (by_stride_ > 0) return;
    for (const Window& window : w.axis[2]) longest_ = std::max(longest_, window.end - window.begin);
    taken_.resize(static_cast<std::size_t>(longest_ + S::kLanes));
    for (std::int64_t k = 0; k < longest_; k += w.dilation) taken_[k] = -1;
  }

  /// For `planes` planes: writes the result of each window to `out` and, if kPlaces, its place to `argmax`.
  void run(std::int64_t planes, const T* x, T* out, std::int64_t* argmax) const {
    Rows rows(rows_together_ * length_);
    for (const T* plane = x; plane < x + planes * product(w_.in); plane += product(w_.in))
      for (std::size_t first = 0; first < windows_.size(); first += rows_together_) {
        const std::size_t some = std::min<std::size_t>(rows_together_, windows_.size() - first);
        for (std::size_t i = 0; i < some; ++i) fold_rows(first + i, plane, rows.at(i * length_));
        for (std::size_t i = 0; i < some; ++i) {
          (this->*kFoldColumns[by_stride_])(rows.at(i * length_), windows_[first + i].counted, out, argmax);
          out += w_.out[2];
          if constexpr (Fold::kPlaces) argmax += w_.out[2];
        }
      }
  }

 private:
  using S = Simd<T>;
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using P = Simd<Place>;
  static constexpr Place kNoPlace = std::numeric_limits<Place>::max();
  static constexpr std::int64_t kMostStride = 8;  ///< of windows that are folded in vectors
  /// Cells of rows that are folded before columns of theirs are read: vectors that overlap what was stored
  /// just before would have to wait.
  static constexpr std::int64_t kTogether = 2048;

  struct Row {
    T* value;
    Place* place;
  };

  /// Rows folded, with the padding around them.
  class Rows {
   public:
    explicit Rows(std::int64_t cells)
        : value_(static_cast<std::size_t>(cells), Fold::kEmpty),
          place_(Fold::kPlaces ? value_.size() : 0, kNoPlace) {}
    Row at(std::int64_t cell) {
      return {value_.data() + cell, Fold::kPlaces ? place_.data() + cell : nullptr};
    }

   private:
    ScratchVector<T> value_;
    ScratchVector<Place> place_;
  };

  /// A window of rows: where its offsets end, how many rows count.
  struct RowWindow {
    std::size_t end;
    T counted;
  };

  /// Whether vectors of windows cost less than windows one by one.
  static bool in_vectors(const Windows& w) {
    constexpr std::int64_t kWindow = Fold::kPlaces ? 40 : 20;
    const std::int64_t vectors = ceil_div(w.out[2], S::kLanes) * w.kernel * (2 * w.stride - 1);
    return w.stride > 0 && w.stride <= kMostStride && vectors < kWindow * w.out[2];
  }

  /// Of a row with the padding before and behind it, and what vectors of windows read beyond.
  std::int64_t length_of_row() const {
    const std::int64_t read =
        by_stride_ > 0 ? (w_.out[2] + S::kLanes) * by_stride_ + w_.kernel * w_.dilation : 0;
    return w_.padding + std::max(w_.in[2], read) + 2 * S::kLanes;
  }

  void fold_rows(std::size_t window, const T* plane, Row to) const {
    const std::int64_t width = w_.in[2];
    const std::size_t begin = window > 0 ? windows_[window - 1].end : 0;
    const std::span rows(rows_.data() + begin, windows_[window].end - begin);
    const auto fold = [plane, rows](std::int64_t k, auto load) {
      const auto cells = [=](std::int64_t row) {
        Fold some;
        some.value = load(plane + row + k);
        if constexpr (Fold::kPlaces) some.place = P::load(kLane.data()) + static_cast<Place>(row + k);
        return some;
      };
      Fold all = cells(rows[0]);
      for (const std::int64_t row : rows.subspan(1)) all.offer(cells(row));
      return all;
    };
    T* value = to.value + w_.padding;
    Place* place = Fold::kPlaces ? to.place + w_.padding : nullptr;
    std::int64_t k = 0;
    for (; k + S::kLanes <= width; k += S::kLanes) {
      fetch_ahead<S::kLanes>(plane + rows.back() + k);
      const Fold all = fold(k, [](const T* from) { return S::load(from); });
      S::store(value + k, all.value);
      if constexpr (Fold::kPlaces) P::store(place + k, all.place);
    }
    if (k == width) return;
    const auto mask = S::lanes_between(k, 0, width);
    const Fold all = fold(k, [mask](const T* from) { return S::load_masked(from, mask); });
    S::store_some(value + k, all.value, width - k);
    if constexpr (Fold::kPlaces) P::store_some(place + k, all.place, width - k);
  }

  /// Vectors of evenly spaced windows.
  template <int kStride>
  void fold_columns(Row row, T rows, T* out, std::int64_t* argmax) const {
    const std::int64_t count = w_.out[2];
    for (std::int64_t o = 0; o < count; o += S::kLanes) {
      Fold all = columns<kStride>(row, o * kStride);
      for (std::int64_t k = 1; k < w_.kernel; ++k)
        all.offer(columns<kStride>(row, o * kStride + k * w_.dilation));
      if constexpr (Fold::kMean) all.value /= rows * S::load(counted_.data() + o);
      S::store_some(out + o, all.value, count - o);
      if constexpr (Fold::kPlaces) {
        Place places[S::kLanes];
        P::store(places, all.place);
        std::copy_n(places, std::min<std::int64_t>(S::kLanes, count - o), argmax + o);
      }
    }
  }

  /// One window after another, wherever they are.
  void fold_each_window(Row row, T rows, T* out, std::int64_t* argmax) const {
    for (std::int64_t o = 0; o < w_.out[2]; ++o) {
      const Window& window = w_.axis[2][o];
      const std::int64_t cells = window.end - window.begin;
      const Place* taken = taken_.data() + longest_ - cells;
      Fold all = empty();
      for (std::int64_t k = 0; k < cells; k += S::kLanes) {
        Fold next = columns<1>(row, w_.padding + window.begin + k);
        // What is left out is behind the first cell, which wins where all are kEmpty.
        next.value = P::load(taken + k) ? next.value : empty().value;
        all.offer(next);
      }
      [&]<int... kHalvings>(std::integer_sequence<int, kHalvings...>) {
        (all.offer(all.template turned<(S::kLanes >> (kHalvings + 1))>()), ...);
      }
      (std::make_integer_sequence<int, std::countr_zero(static_cast<unsigned>(S::kLanes))>{});
      out[o] = all.value[0];
      if constexpr (Fold::kMean) out[o] /= rows * counted_[o];
      if constexpr (Fold::kPlaces) argmax[o] = all.place[0];
    }
  }

  /// Every kStride-th column from `at` on.
  template <int kStride>
  static Fold columns(Row row, std::int64_t at) {
    const auto some = [at]<class U>(const U* cells) __attribute__((always_inline)) {
      typename Simd<U>::Vector parts[kStride];
#pragma GCC unroll 8
      for (int i = 0; i < kStride; ++i) parts[i] = Simd<U>::load(cells + at + i * S::kLanes);
      return every<U, kStride, 0>(parts);
    };
    Fold fold;
    fold.value = some(row.value);
    if constexpr (Fold::kPlaces) fold.place = some(row.place);
    return fold;
  }

  static Fold empty() {
    Fold fold;
    fold.value = typename S::Vector{} + Fold::kEmpty;
    if constexpr (Fold::kPlaces) fold.place = typename P::Vector{} + kNoPlace;
    return fold;
  }

  /// By stride.
  static constexpr auto kFoldColumns = []<int... kLess>(std::integer_sequence<int, kLess...>) {
    return std::array{&PoolFold::fold_each_window, &PoolFold::fold_columns<kLess + 1>...};
  }
  (std::make_integer_sequence<int, kMostStride>{});

  static constexpr auto kLane = [] {
    std::array<Place, S::kLanes> lane{};
    for (int i = 0; i < S::kLanes; ++i) lane[i] = static_cast<Place>(i);
    return lane;
  }();

  const Windows& w_;
  std::int64_t by_stride_;  ///< of kFoldColumns
  std::int64_t length_, rows_together_;
  ScratchVector<std::int64_t> rows_;  ///< of all windows of rows, offsets in the plane
  ScratchVector<RowWindow> windows_;
  ScratchVector<T> counted_;  ///< by each window of the columns, if kMean
  std::int64_t longest_ = 0;
  ScratchVector<Place> taken_;  ///< -1 for what the longest window takes of its columns, 0 behind
};

}  // namespace evenkeel::kernels
