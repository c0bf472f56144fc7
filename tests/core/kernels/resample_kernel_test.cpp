#include "kernel_support.h"

#include <evenkeel/core/kernels/pad.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/kernels/upsample.h>

#include <cmath>
#include <functional>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;
using kernels::PadFill;
using kernels::PadGeometry;
using kernels::Sizes3;
using kernels::UpsampleGeometry;

namespace {

struct Source {
  std::int64_t index;
  double weight;
};
/// What output o of axis `axis` reads.
using Rule = std::function<std::vector<Source>(int axis, std::int64_t o)>;

/// Calls f(flat input, flat output, weight) for the tensor product of a rule a axis.
template <class F>
void for_each_read(const Sizes3& in, const Sizes3& out, const Rule& rule, F&& f) {
  for (std::int64_t d = 0; d < out[0]; ++d)
    for (std::int64_t h = 0; h < out[1]; ++h)
      for (std::int64_t w = 0; w < out[2]; ++w)
        for (const Source& a : rule(0, d))
          for (const Source& b : rule(1, h))
            for (const Source& c : rule(2, w))
              f((a.index * in[1] + b.index) * in[2] + c.index, (d * out[1] + h) * out[2] + w,
                a.weight * b.weight * c.weight);
}

template <class T, class Forward, class Backward>
void check_map(std::int64_t planes, const Sizes3& in, const Sizes3& out, const Rule& rule, double outside,
               Forward forward, Backward backward, double tolerance) {
  const std::int64_t in_cells = kernels::product(in), out_cells = kernels::product(out);
  const auto x = noise<T>(planes * in_cells, 1), gy = noise<T>(planes * out_cells, 2);
  std::vector<double> y(gy.size()), gx(x.begin(), x.end()), hits(gy.size());
  for (std::int64_t p = 0; p < planes; ++p)
    for_each_read(in, out, rule, [&](auto i, auto o, double weight) {
      y[p * out_cells + o] += weight * double(x[p * in_cells + i]);
      gx[p * in_cells + i] += weight * double(gy[p * out_cells + o]);
      hits[p * out_cells + o] = 1;
    });
  for (std::size_t i = 0; i < y.size(); ++i)
    if (hits[i] == 0) y[i] = outside;
  auto got = garbage<T>(planes * out_cells), got_gx = x;
  forward(x.data(), got.data());
  check_close(got, y, tolerance);
  backward(gy.data(), got_gx.data(), T(1));
  check_close(got_gx, gx, 10 * tolerance);
  for (std::size_t i = 0; i < gx.size(); ++i) gx[i] -= double(x[i]);
  got_gx = garbage<T>(planes * in_cells);
  backward(gy.data(), got_gx.data(), T(0));
  check_close(got_gx, gx, 10 * tolerance);
  check_same_bits_at_any_thread_count([&] {
    auto a = garbage<T>(planes * out_cells), b = garbage<T>(planes * in_cells);
    forward(x.data(), a.data());
    backward(gy.data(), b.data(), T(0));
    return joined({a, b});
  });
}

/// What is not finite reaches what reads it, and nothing else.
template <class T, class Forward, class Backward>
void check_reach(std::int64_t planes, const Sizes3& in, const Sizes3& out, const Rule& rule, Forward forward,
                 Backward backward) {
  constexpr double kSomeWeight = 0.01;
  const std::int64_t in_cells = kernels::product(in), out_cells = kernels::product(out);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  if (planes == 0) return;
  for (const bool last : {false, true}) {
    const std::int64_t cell = last ? in_cells - 1 : 0, output = last ? out_cells - 1 : 0;
    auto x = noise<T>(planes * in_cells, 1), gy = noise<T>(planes * out_cells, 2);
    const std::int64_t plane = last ? planes - 1 : 0;
    x[plane * in_cells + cell] = gy[plane * out_cells + output] = nan;
    std::vector<double> of_cell(gy.size()), of_output(x.size());  // greatest weight; -1 where it is not read
    std::fill(of_cell.begin(), of_cell.end(), -1);
    std::fill(of_output.begin(), of_output.end(), -1);
    for_each_read(in, out, rule, [&](auto i, auto o, double weight) {
      double& to_output = of_cell[plane * out_cells + o];
      double& to_cell = of_output[plane * in_cells + i];
      if (i == cell) to_output = std::max(to_output, weight);
      if (o == output) to_cell = std::max(to_cell, weight);
    });
    auto y = garbage<T>(planes * out_cells), gx = garbage<T>(planes * in_cells);
    forward(x.data(), y.data());
    backward(gy.data(), gx.data(), T(0));
    const auto check = [&](const auto& got, const std::vector<double>& weights) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] > kSomeWeight) BOOST_TEST(std::isnan(got[i]));
        if (weights[i] < 0) BOOST_TEST(std::isfinite(got[i]));
      }
    };
    check(y, of_cell);
    check(gx, of_output);
  }
}

const UpsampleGeometry kUpsamples[] = {{3, {5}, {10}, {2}, 1, false},
                                       {3, {5}, {13}, {0}, 1, false},
                                       {3, {5}, {13}, {2.7}, 1, false},
                                       {2, {1}, {4}, {4}, 1, false},
                                       {2, {7}, {7}, {1}, 1, false},
                                       {2, {9}, {4}, {0.5}, 1, false},
                                       {2, {6}, {1}, {0}, 1, true},
                                       {3, {4, 5}, {8, 10}, {2, 2}, 2, true},
                                       {3, {4, 5}, {8, 10}, {2, 2}, 2, false},
                                       {3, {4, 5}, {7, 11}, {0, 0}, 2, true},
                                       {70, {14, 15}, {28, 31}, {0, 0}, 2, false},
                                       {2, {2, 3, 4}, {4, 6, 8}, {2, 2, 2}, 3, true},
                                       {2, {2, 3, 4}, {5, 3, 9}, {0, 0, 0}, 3, false},
                                       {2, {16}, {32}, {2}, 1, false},
                                       {2, {40}, {80}, {2}, 1, false},
                                       {1, {37}, {148}, {4}, 1, false},
                                       {1, {64}, {131}, {0}, 1, true},
                                       {1, {90}, {30}, {0}, 1, false},
                                       {2, {9, 33}, {18, 66}, {2, 2}, 2, false},
                                       {2, {9, 50}, {4, 100}, {0.5, 2}, 2, false},
                                       {1, {3, 2, 17}, {6, 4, 34}, {2, 2, 2}, 3, false},
                                       {0, {4, 5}, {8, 10}, {2, 2}, 2, false}};

}  // namespace

BOOST_AUTO_TEST_SUITE(resample_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(nearest_reads_the_cell_at_floor_of_the_scaled_index, T, FloatTypes) {
  for (const UpsampleGeometry& g : kUpsamples) {
    const Sizes3 in = kernels::as_volume(g.rank, g.in, 1), out = kernels::as_volume(g.rank, g.out, 1);
    const Rule rule = [&](int axis, std::int64_t o) -> std::vector<Source> {
      const int own = axis - 3 + g.rank;
      const float step =
          own >= 0 && g.scale[own] > 0 ? float(1 / g.scale[own]) : float(in[axis]) / float(out[axis]);
      return {{std::min<std::int64_t>(std::int64_t(std::floor(float(o) * step)), in[axis] - 1), 1}};
    };
    const auto forward = [&](const T* x, T* y) { kernels::upsample_nearest_forward<T>(g, x, y); };
    const auto backward = [&](const T* gy, T* gx, T beta) {
      kernels::upsample_nearest_backward<T>(g, gy, gx, beta);
    };
    check_map<T>(g.planes, in, out, rule, 0, forward, backward, kTolerance<T>);
    check_reach<T>(g.planes, in, out, rule, forward, backward);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(linear_mixes_the_two_nearest_cells_of_each_axis, T, FloatTypes) {
  for (const UpsampleGeometry& g : kUpsamples) {
    const Sizes3 in = kernels::as_volume(g.rank, g.in, 1), out = kernels::as_volume(g.rank, g.out, 1);
    const Rule rule = [&](int axis, std::int64_t o) -> std::vector<Source> {
      const int own = axis - 3 + g.rank;
      if (own < 0) return {{0, 1}};
      double at = 0;
      if (g.align_corners) {
        if (out[axis] > 1) at = double(o) * double(in[axis] - 1) / double(out[axis] - 1);
      } else {
        const double step = g.scale[own] > 0 ? 1 / g.scale[own] : double(in[axis]) / double(out[axis]);
        at = std::max(0.0, (double(o) + 0.5) * step - 0.5);
      }
      const double last = double(in[axis] - 1);
      at = std::min(at, last);
      const double low = std::floor(at), high = std::min(low + 1, last);
      return {{std::int64_t(low), 1 - (at - low)}, {std::int64_t(high), at - low}};
    };
    const auto forward = [&](const T* x, T* y) { kernels::upsample_linear_forward<T>(g, x, y); };
    const auto backward = [&](const T* gy, T* gx, T beta) {
      kernels::upsample_linear_backward<T>(g, gy, gx, beta);
    };
    check_map<T>(g.planes, in, out, rule, 0, forward, backward, kTolerance<T>);
    check_reach<T>(g.planes, in, out, rule, forward, backward);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pads_of_every_kind_side_and_rank, T, FloatTypes) {
  const PadGeometry cases[] = {{1, 3, {7}, {2}, {3}},
                               {1, 2, {5}, {0}, {4}},
                               {1, 1, {2}, {1}, {1}},
                               {2, 3, {4, 5}, {1, 2}, {3, 0}},
                               {3, 2, {3, 4, 5}, {1, 2, 3}, {2, 3, 4}},
                               {2, 90, {20, 21}, {2, 2}, {2, 2}}};
  for (const PadGeometry& g : cases)
    for (const PadFill fill : {PadFill::constant, PadFill::reflect, PadFill::replicate, PadFill::circular}) {
      const Sizes3 in = kernels::as_volume(g.rank, g.in, 1), before = kernels::as_volume(g.rank, g.before, 0),
                   after = kernels::as_volume(g.rank, g.after, 0);
      const Sizes3 out{in[0] + before[0] + after[0], in[1] + before[1] + after[1],
                       in[2] + before[2] + after[2]};
      const Rule rule = [&](int axis, std::int64_t o) -> std::vector<Source> {
        const std::int64_t n = in[axis], i = o - before[axis];
        if (i >= 0 && i < n) return {{i, 1}};
        if (fill == PadFill::constant) return {};
        if (fill == PadFill::replicate) return {{i < 0 ? 0 : n - 1, 1}};
        if (fill == PadFill::circular) return {{(i + n) % n, 1}};
        return {{i < 0 ? -i : 2 * (n - 1) - i, 1}};
      };
      check_map<T>(
          g.planes, in, out, rule, 0.75,
          [&](const T* x, T* y) { kernels::pad_forward<T>(g, fill, T(0.75), x, y); },
          [&](const T* gy, T* gx, T beta) { kernels::pad_backward<T>(g, fill, gy, gx, beta); },
          kTolerance<T>);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(negative_amounts_crop, T, FloatTypes) {
  const PadGeometry g{1, 2, {7}, {-2}, {3}};
  const Rule rule = [](int axis, std::int64_t o) -> std::vector<Source> {
    if (axis < 2) return {{0, 1}};
    if (o + 2 < 7) return {{o + 2, 1}};
    return {};
  };
  check_map<T>(
      2, {1, 1, 7}, {1, 1, 8}, rule, 0,
      [&](const T* x, T* y) { kernels::pad_forward<T>(g, PadFill::constant, 0, x, y); },
      [&](const T* gy, T* gx, T beta) { kernels::pad_backward<T>(g, PadFill::constant, gy, gx, beta); }, 0);
}

BOOST_AUTO_TEST_SUITE_END()
