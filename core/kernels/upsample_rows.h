#pragma once

#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/upsample_taps.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace evenkeel::kernels::upsample {

template <class T>
struct WeightedRow {
  const T* row;
  T weight;
};

/// The sum of some rows by their weights.
template <class T>
class RowSum {
 public:
  using S = Simd<T>;

  RowSum(const WeightedRow<T>* rows, std::int64_t count, std::int64_t length)
      : rows_(rows), count_(count), length_(length) {}

  /// Cells at, at + 1 …; those at `length` and behind are 0.
  typename S::Vector load(std::int64_t at) const {
    return at + S::kLanes <= length_ ? load_inside(at) : load_end(at);
  }
  template <int kVectors = 1>
  void load_inside(std::int64_t at, typename S::Vector (&sums)[kVectors]) const {
    for (std::int64_t r = 0; r < count_; ++r) {
      const T* from = rows_[r].row + at;
      const T weight = rows_[r].weight;
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i) sums[i] += weight * S::load(from + i * S::kLanes);
    }
  }
  typename S::Vector load_inside(std::int64_t at) const {
    typename S::Vector sum[1] = {};
    load_inside(at, sum);
    return sum[0];
  }

  bool is_row() const { return count_ == 1 && rows_[0].weight == T(1); }
  /// The sum as a row of its own: a single row that row, others in `scratch`, with zeros to the next vector.
  const T* as_row(T* scratch) const {
    if (is_row()) return rows_[0].row;
    constexpr int kAtOnce = 4;
    std::int64_t at = 0;
    for (; at + kAtOnce * S::kLanes <= length_; at += kAtOnce * S::kLanes) {
      typename S::Vector sums[kAtOnce] = {};
      load_inside(at, sums);
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) S::store(scratch + at + i * S::kLanes, sums[i]);
    }
    for (; at < length_; at += S::kLanes) S::store(scratch + at, load(at));
    return scratch;
  }

 private:
  typename S::Vector load_end(std::int64_t at) const {
    const auto mask = S::lanes_between(at, 0, length_);
    typename S::Vector sum{};
    for (std::int64_t r = 0; r < count_; ++r)
      sum += rows_[r].weight * S::load_masked(rows_[r].row + at, mask);
    return sum;
  }

  const WeightedRow<T>* rows_;
  std::int64_t count_, length_;
};

/// Places along an axis from which vectors of neighbours read: a stretch of kVectors vectors each, of which a
/// permutation takes what they want. The last vector may have less; those from a vector on that reads too
/// far are left.
template <class T, int kVectors>
class Stretches {
 public:
  using S = Simd<T>;
  using Vector = typename S::Vector;

  /// Index i reads cells of[i] … of[i] + beyond, of `length` cells.
  Stretches(const ScratchVector<std::int32_t>& of, std::int64_t beyond, std::int64_t length)
      : of_(of), length_(length), beyond_(beyond), is_short_(length <= kVectors * S::kLanes) {
    lanes_.reserve(of.size() / kLanes + 1);
    for (std::size_t i = 0; i < of.size(); i += kLanes) {
      const std::size_t some = std::min(of.size() - i, kLanes);
      const std::int32_t start = is_short_ ? 0 : of[i];
      Lanes lanes{};
      for (std::size_t lane = 0; lane < some; ++lane) lanes[lane] = of[i + lane] - start;
      if (lanes[some - 1] >= static_cast<Index>(kVectors * kLanes)) break;
      lanes_.push_back(lanes);
      count_ = static_cast<std::int64_t>(i + some);
      if (start + beyond + static_cast<std::int64_t>(kVectors * kLanes) <= length) inside_ = count_;
      whole_ = whole_ && (is_short_ || lanes[some - 1] + beyond < static_cast<Index>(kVectors * kLanes));
    }
  }

  /// Of the indices that vectors cover.
  std::int64_t count() const { return count_; }
  /// Whether they cover all, each of which finds all that it reads in one stretch.
  bool whole() const { return whole_ && count_ == static_cast<std::int64_t>(of_.size()); }

  /// Elements of a row behind whose end there are zeros enough for every read.
  std::int64_t room() const { return length_ + beyond_ + kVectors * S::kLanes; }

  /// Calls f(i, read) for i = 0, kLanes … of those: read(k) is a vector of row[of[i] + k], k ≤ beyond;
  /// any cells where that is none of the row's. A row with room() is read there, too.
  template <class F>
  void each(const T* row, bool has_room, F&& f) const {
    constexpr std::int64_t kStep = S::kLanes;
    const std::int64_t inside = has_room ? count_ : inside_;
    for (std::int64_t i = 0; i < inside; i += kStep)
      f(i, [&, from = row + of_[i]](std::int64_t k) {
        return spread(S::load(from + k), kVectors > 1 ? S::load(from + k + kStep) : Vector{}, i, 0);
      });
    for (std::int64_t i = inside; i < count_; i += kStep)
      f(i, [&, at = of_[i]](std::int64_t k) {
        return spread(S::load_between(row, at + k, 0, length_),
                      kVectors > 1 ? S::load_between(row, at + k + kStep, 0, length_) : Vector{}, i, 0);
      });
  }

  /// The same of a sum of rows; only where whole().
  template <class F>
  void each(const RowSum<T>& row, F&& f) const {
    if (is_short_) {
      const Vector low = row.load(0), high = kVectors > 1 ? row.load(S::kLanes) : low;
      for (std::int64_t i = 0; i < count_; i += S::kLanes)
        f(i, [&](std::int64_t k) { return spread(low, high, i, k); });
      return;
    }
    for (std::int64_t i = 0; i < count_; i += S::kLanes) {
      const Vector low = row.load(of_[i]), high = kVectors > 1 ? row.load(of_[i] + S::kLanes) : low;
      f(i, [&](std::int64_t k) { return spread(low, high, i, k); });
    }
  }

 private:
  using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Lanes = typename Simd<Index>::Vector;
  static constexpr auto kLanes = static_cast<std::size_t>(S::kLanes);

  Vector spread(Vector low, Vector high, std::int64_t i, std::int64_t k) const {
    const Lanes lanes = lanes_[static_cast<std::size_t>(i) / kLanes] + static_cast<Index>(k);
    if constexpr (kVectors == 1) return permuted(low, lanes);
    return permuted(low, high, lanes);
  }

  const ScratchVector<std::int32_t>& of_;
  ScratchVector<Lanes> lanes_;
  std::int64_t length_, beyond_;
  std::int64_t count_ = 0, inside_ = 0;  ///< inside_: of those that read no cell behind the row
  bool is_short_;                        ///< one stretch has all cells
  bool whole_ = true;
};

/// 0 where the weight is 0, whatever the value: it may be no cell's, or not finite.
template <class T>
typename Simd<T>::Vector weighted(typename Simd<T>::Vector weight, typename Simd<T>::Vector value) {
  return weight != T(0) ? weight * value : typename Simd<T>::Vector{};
}

/// A row of outputs of rows of cells.
template <class T>
class RowMix {
 public:
  RowMix(const Taps<T>& taps, std::int64_t in)
      : taps_(taps), in_(in), stretches_(taps.first, 1, in), copies_(taps.copies()) {}

  std::int64_t room() const { return stretches_.room(); }
  /// Of what `count` rows add up to. `scratch`: of room(), zero behind a row.
  void run(const WeightedRow<T>* rows, std::int64_t count, T* scratch, T* out) const {
    copies_ ? run<true>({rows, count, in_}, scratch, out) : run<false>({rows, count, in_}, scratch, out);
  }

 private:
  using S = Simd<T>;

  template <bool kCopies>
  void run(RowSum<T> cells, T* scratch, T* out) const {
    const auto length = static_cast<std::int64_t>(taps_.first.size());
    const T *near = taps_.near.data(), *far = taps_.far.data();
    const auto put = [&](std::int64_t o, auto read) {
      auto sum = read(0);
      if constexpr (!kCopies) sum = S::load(near + o) * sum + weighted<T>(S::load(far + o), read(1));
      S::store_some(out + o, sum, length - o);
    };
    if (in_ <= S::kLanes) return stretches_.each(cells, put);
    const T* row = cells.as_row(scratch);
    stretches_.each(row, !cells.is_row(), put);
    for (std::int64_t o = stretches_.count(); o < length; ++o) {
      const T* cell = row + taps_.first[o];
      out[o] = kCopies ? *cell : near[o] * *cell + far[o] * cell[far[o] != T(0) ? 1 : 0];
    }
  }

  const Taps<T>& taps_;
  std::int64_t in_;
  Stretches<T, 1> stretches_;
  bool copies_;
};

/// What rows of gradients of outputs add up to for the cells that they read: RowMix turned round.
template <class T>
class RowScatter {
 public:
  RowScatter(const Readers<T>& readers, std::int64_t out)
      : readers_(readers), out_(out), stretches_(readers.first, readers.most - 1, out) {}

  std::int64_t room() const { return stretches_.room(); }
  /// to = sums, or to + sums. `scratch`: of room(), zero behind a row.
  void run(const WeightedRow<T>* rows, std::int64_t count, T* scratch, T* to, bool add) const {
    readers_.ones() ? run<true>({rows, count, out_}, scratch, to, add)
                    : run<false>({rows, count, out_}, scratch, to, add);
  }

 private:
  using S = Simd<T>;

  template <bool kOnes>
  void run(RowSum<T> outputs, T* scratch, T* to, bool add) const {
    const auto length = static_cast<std::int64_t>(readers_.first.size());
    const auto put = [&, most = readers_.most](std::int64_t i, auto read) {
      typename S::Vector sum{};
      if (add) sum = S::load_between(to, i, 0, length);
      const T* weights = readers_.weight(0) + i;
      for (std::int64_t k = 0; k < most; ++k, weights += readers_.pitch())
        sum += kOnes ? read(k) : weighted<T>(S::load(weights), read(k));
      S::store_some(to + i, sum, length - i);
    };
    if (stretches_.whole()) return stretches_.each(outputs, put);
    const T* row = outputs.as_row(scratch);
    stretches_.each(row, !outputs.is_row(), put);
    for (std::int64_t i = stretches_.count(); i < length; ++i) {
      T sum = add ? to[i] : T(0);
      for (std::int64_t k = 0; k < readers_.count[i]; ++k)
        sum += readers_.weight(k)[i] * row[readers_.first[i] + k];
      to[i] = sum;
    }
  }

  const Readers<T>& readers_;
  std::int64_t out_;
  Stretches<T, 2> stretches_;
};

}  // namespace evenkeel::kernels::upsample
