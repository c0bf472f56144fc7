#pragma once

#include <evenkeel/core/parallel.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace evenkeel::kernels {

/// Elements a piece of an elementwise loop takes: enough work to be worth a hand-off, few enough to stay in
/// L2.
inline constexpr std::int64_t kElementwiseGrain = 1 << 15;
/// Pieces are whole multiples of it: the same elements fill vectors wherever a loop is cut.
inline constexpr std::int64_t kElementwiseUnit = 1 << 10;

/// Fetches the cache lines of kCount elements, 4 KB ahead of `data`: into the next page, where the processor
/// does not look ahead by itself, nor does it for what is only written.
template <int kCount, class T>
void fetch_ahead(T* data) {
  constexpr std::size_t kAhead = 4096, kLine = 64;
  const char* at = reinterpret_cast<const char*>(data) + kAhead;
#pragma GCC unroll 16
  for (std::size_t line = 0; line < kCount * sizeof(T); line += kLine)
    __builtin_prefetch(at + line, !std::is_const_v<T>);
}

/// f(i) for i in [begin, end); f must be free of dependencies between different i. `arrays` are those that f
/// reads (const T*) and writes (T*) at i.
template <class F, class... T>
void map_range(std::int64_t begin, std::int64_t end, F&& f, T*... arrays) {
  constexpr int kBlock = 32;
  std::int64_t i = begin;
  for (; sizeof...(T) > 0 && i + kBlock <= end; i += kBlock) {
    (fetch_ahead<kBlock>(arrays + i), ...);
#pragma GCC ivdep
    for (int j = 0; j < kBlock; ++j) f(i + j);
  }
#pragma GCC ivdep
  for (; i < end; ++i) f(i);
}

/// map_range over [0, n), in parallel.
template <class F, class... T>
void map(std::int64_t n, F&& f, T*... arrays) {
  detail::parallel_shares(
      n, kElementwiseGrain,
      [&](std::int64_t begin, std::int64_t end) { map_range(begin, end, f, arrays...); }, kElementwiseUnit);
}

/// y[i] = f(x[i]). y may be x.
template <class T, class F>
void unary(std::int64_t n, const T* x, T* y, F f) {
  const auto set = [=](std::int64_t i) { y[i] = f(x[i]); };
  map(n, set, x, y);
}

/// y[i] = f(a[i], b[i]). y may be a or b.
template <class T, class F>
void binary(std::int64_t n, const T* a, const T* b, T* y, F f) {
  const auto set = [=](std::int64_t i) { y[i] = f(a[i], b[i]); };
  map(n, set, a, b, y);
}

/// How two dense operands of shapes `a` and `b` meet in the dense shape `out` (right-aligned; an axis of 1 is
/// repeated): axes that behave alike are merged, so most cases have one or two.
struct BroadcastPlan {
  static constexpr int kMaxAxes = 8;

  BroadcastPlan(std::span<const std::int64_t> out, std::span<const std::int64_t> a,
                std::span<const std::int64_t> b);

  int axes = 0;                                 ///< at least 1; the last is the innermost
  std::int64_t count = 1;                       ///< elements of the result
  std::array<std::int64_t, kMaxAxes> size{};    ///< of each merged axis
  std::array<std::int64_t, kMaxAxes> a_step{};  ///< distance in a of neighbours along the axis; 0 = repeated
  std::array<std::int64_t, kMaxAxes> b_step{};
};

/// A walk over the rows of a plan, the index over all axes but the last: where the operands stand.
struct BroadcastRows {
  BroadcastRows(const BroadcastPlan& p, std::int64_t row) : plan(p) {
    for (int axis = plan.axes - 2; axis >= 0; --axis) {
      index[axis] = row % plan.size[axis];
      row /= plan.size[axis];
      a += index[axis] * plan.a_step[axis];
      b += index[axis] * plan.b_step[axis];
    }
  }

  void next() {
    for (int axis = plan.axes - 2; axis >= 0; --axis) {
      a += plan.a_step[axis];
      b += plan.b_step[axis];
      if (++index[axis] < plan.size[axis]) return;
      a -= plan.size[axis] * plan.a_step[axis];
      b -= plan.size[axis] * plan.b_step[axis];
      index[axis] = 0;
    }
  }

  const BroadcastPlan& plan;
  std::array<std::int64_t, BroadcastPlan::kMaxAxes> index{};
  std::int64_t a = 0, b = 0;
};

/// y = f(a, b) with broadcasting.
template <class T, class F>
void binary_broadcast(const BroadcastPlan& plan, const T* a, const T* b, T* y, F f) {
  if (plan.count == 0) return;
  const std::int64_t length = plan.size[plan.axes - 1];
  const std::int64_t a_step = plan.a_step[plan.axes - 1];
  const std::int64_t b_step = plan.b_step[plan.axes - 1];
  if (plan.axes == 1 && a_step == 1 && b_step == 1) return binary(length, a, b, y, f);
  const auto part = [&](const T* pa, const T* pb, T* py, std::int64_t n) {
    if (a_step == 1 && b_step == 1) {
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) py[i] = f(pa[i], pb[i]);
    } else if (a_step == 1) {
      const T value = *pb;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) py[i] = f(pa[i], value);
    } else if (b_step == 1) {
      const T value = *pa;
#pragma GCC ivdep
      for (std::int64_t i = 0; i < n; ++i) py[i] = f(value, pb[i]);
    } else {
      const T value = f(*pa, *pb);
      for (std::int64_t i = 0; i < n; ++i) py[i] = value;
    }
  };
  if (plan.axes == 1) {
    detail::parallel_shares(
        length, kElementwiseGrain,
        [&](std::int64_t begin, std::int64_t end) {
          part(a + begin * a_step, b + begin * b_step, y + begin, end - begin);
        },
        kElementwiseUnit);
    return;
  }
  const std::int64_t rows = plan.count / length;
  const std::int64_t grain = length < kElementwiseGrain ? kElementwiseGrain / length : 1;
  detail::parallel_shares(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    BroadcastRows at(plan, begin);
    for (std::int64_t row = begin; row < end; ++row, at.next())
      part(a + at.a, b + at.b, y + row * length, length);
  });
}

}  // namespace evenkeel::kernels
