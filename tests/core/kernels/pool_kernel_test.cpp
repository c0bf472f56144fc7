#include "kernel_support.h"

#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/spatial.h>

using namespace evenkeel;
using namespace evenkeel::test;
using kernels::PoolGeometry;
using kernels::Sizes3;

namespace {

/// Calls f(plane, flat output, flat input or -1 for padding, cells of the window up to the padded size).
template <class F>
void for_each_cell(const PoolGeometry& g, F&& f) {
  const Sizes3 in = kernels::as_volume(g.rank, g.in, 1), kernel = kernels::as_volume(g.rank, g.kernel, 1),
               out = kernels::as_volume(g.rank, g.out, 1), stride = kernels::as_volume(g.rank, g.stride, 1),
               dilation = kernels::as_volume(g.rank, g.dilation, 1),
               padding = kernels::as_volume(g.rank, g.padding, 0);
  for (std::int64_t plane = 0; plane < g.planes; ++plane)
    for (std::int64_t o = 0; o < kernels::product(out); ++o) {
      const Sizes3 at{o / (out[1] * out[2]), o / out[2] % out[1], o % out[2]};
      std::int64_t cells = 1;
      for (int a = 0; a < 3; ++a) {
        const std::int64_t start = at[a] * stride[a] - padding[a];
        cells *= std::min(start + kernel[a], in[a] + padding[a]) - start;
      }
      for (std::int64_t k = 0; k < kernels::product(kernel); ++k) {
        const Sizes3 tap{k / (kernel[1] * kernel[2]), k / kernel[2] % kernel[1], k % kernel[2]};
        std::int64_t flat = 0;
        bool hit = true;
        for (int a = 0; a < 3; ++a) {
          const std::int64_t i = at[a] * stride[a] + tap[a] * dilation[a] - padding[a];
          hit = hit && i >= 0 && i < in[a];
          flat = flat * in[a] + i;
        }
        if (hit) f(plane, o, flat, cells);
      }
    }
}

std::vector<PoolGeometry> cases(bool dilated) {
  std::vector<PoolGeometry> all{
      {1, 3, {10}, {2}, {5}, {2}, {1}, {0}},
      {1, 3, {11}, {3}, {6}, {2}, {1}, {1}},
      {1, 2, {11}, {4}, {4}, {3}, {1}, {0}},  // ceil_mode: the last window hangs over the end
      {1, 1, {1}, {1}, {1}, {1}, {1}, {0}},
      {1, 2, {2}, {4}, {1}, {4}, {1}, {1}},
      {1, 2, {20}, {2}, {4}, {5}, {1}, {0}},
      {1, 0, {20}, {2}, {4}, {5}, {1}, {0}},
      {2, 3, {12, 9}, {2, 2}, {6, 4}, {2, 2}, {1, 1}, {0, 0}},
      {2, 3, {12, 9}, {3, 3}, {6, 5}, {2, 2}, {1, 1}, {1, 1}},
      {2, 40, {33, 41}, {3, 2}, {32, 20}, {1, 2}, {1, 1}, {1, 0}},
      {2, 2, {5, 300}, {2, 5}, {4, 60}, {1, 5}, {1, 1}, {0, 0}},
      {1, 2, {131}, {4}, {32}, {4}, {1}, {0}},
      {1, 2, {67}, {5}, {17}, {4}, {1}, {2}},
      {2, 2, {3, 64}, {3, 3}, {1, 21}, {3, 3}, {1, 1}, {0, 0}},
      {3, 2, {4, 6, 8}, {2, 3, 2}, {2, 3, 4}, {2, 2, 2}, {1, 1, 1}, {0, 1, 0}},
      {2, 2, {40, 7}, {3, 3}, {20, 4}, {2, 2}, {1, 1}, {1, 1}},  // more rows than are folded together
      {1, 2, {130}, {7}, {19}, {7}, {1}, {3}},
      {1, 1, {200}, {9}, {17}, {12}, {1}, {2}},
      {1, 1, {500}, {40}, {5}, {100}, {1}, {20}},
      {1, 2, {2100}, {3}, {700}, {3}, {1}, {0}},
      {2, 3, {4, 5}, {4, 5}, {1, 1}, {4, 5}, {1, 1}, {0, 0}},  // whole planes
      {2, 3, {4, 5}, {4, 5}, {1, 1}, {9, 9}, {1, 1}, {1, 0}},  // and not quite
      {3, 2, {5, 4, 3}, {3, 3, 3}, {5, 4, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {3, 1, {7, 5, 4}, {2, 2, 2}, {2, 2, 1}, {3, 3, 3}, {1, 1, 1}, {0, 0, 0}},  // cells in no window
  };
  if (dilated) {
    all.push_back({1, 3, {20}, {3}, {7}, {2}, {3}, {1}});
    all.push_back({2, 3, {9, 12}, {2, 3}, {7, 8}, {1, 1}, {2, 2}, {0, 0}});
    all.push_back({1, 2, {300}, {5}, {29}, {10}, {4}, {2}});
  }
  return all;
}

std::int64_t in_count(const PoolGeometry& g) {
  return g.planes * kernels::product(kernels::as_volume(g.rank, g.in, 1));
}
std::int64_t out_count(const PoolGeometry& g) {
  return g.planes * kernels::product(kernels::as_volume(g.rank, g.out, 1));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pool_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(max_takes_the_first_of_the_largest_and_sends_the_gradient_there, T,
                              FloatTypes) {
  for (const PoolGeometry& g : cases(true)) {
    auto x = noise<T>(in_count(g), 1);
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = T(0.5);  // ties
    const auto gy = noise<T>(out_count(g), 2);
    const std::int64_t in_plane = g.planes ? in_count(g) / g.planes : 1,
                       out_plane = g.planes ? out_count(g) / g.planes : 1;
    std::vector<std::int64_t> index(gy.size(), -1), got_index(gy.size());
    std::vector<double> y(gy.size()), gx(x.begin(), x.end());
    for_each_cell(g, [&](auto plane, auto o, auto i, auto) {
      auto& best = index[plane * out_plane + o];
      if (best < 0 || x[plane * in_plane + i] > x[plane * in_plane + best]) best = i;
    });
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::int64_t at = std::int64_t(i) / out_plane * in_plane + index[i];
      y[i] = double(x[at]);
      gx[at] += double(gy[i]);
    }
    auto got = garbage<T>(out_count(g)), got_gx = x;
    kernels::max_pool_forward<T>(g, x.data(), got.data(), got_index.data());
    check_close(got, y, 0);
    BOOST_CHECK_EQUAL_COLLECTIONS(index.begin(), index.end(), got_index.begin(), got_index.end());
    got = garbage<T>(out_count(g));
    kernels::max_pool_forward<T>(g, x.data(), got.data(), nullptr);
    check_close(got, y, 0);
    kernels::max_pool_backward<T>(g, gy.data(), index.data(), got_gx.data(), 1);
    check_close(got_gx, gx);
    for (std::size_t i = 0; i < gx.size(); ++i) gx[i] -= double(x[i]);
    got_gx = garbage<T>(in_count(g));
    kernels::max_pool_backward<T>(g, gy.data(), index.data(), got_gx.data(), 0);
    check_close(got_gx, gx);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(max_passes_nan_on, T, FloatTypes) {
  const PoolGeometry g{1, 1, {8}, {2}, {4}, {2}, {1}, {0}};
  std::vector<T> x{1,  2, std::numeric_limits<T>::quiet_NaN(), 3, 4, std::numeric_limits<T>::quiet_NaN(),
                   -1, -2};
  std::vector<T> y(4);
  std::vector<std::int64_t> index(4);
  kernels::max_pool_forward<T>(g, x.data(), y.data(), index.data());
  BOOST_CHECK_EQUAL(y[0], 2);
  BOOST_CHECK(std::isnan(y[1]) && std::isnan(y[2]));
  BOOST_CHECK_EQUAL(index[2], 5);
  BOOST_CHECK_EQUAL(y[3], -1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(max_takes_the_last_nan_and_infinities_as_they_come, T, FloatTypes) {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const PoolGeometry& g : cases(true)) {
    auto x = noise<T>(in_count(g), 1);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (i % 2 == 0) x[i] = i % 14 == 0 ? nan : i % 10 == 0 ? inf : -inf;
    const std::int64_t in_plane = g.planes ? in_count(g) / g.planes : 1,
                       out_plane = g.planes ? out_count(g) / g.planes : 1;
    std::vector<std::int64_t> index(out_count(g), -1), got_index(out_count(g));
    for_each_cell(g, [&](auto plane, auto o, auto i, auto) {
      auto& best = index[plane * out_plane + o];
      const T* cells = x.data() + plane * in_plane;
      if (best < 0 || cells[i] > cells[best] || std::isnan(cells[i])) best = i;
    });
    auto y = garbage<T>(out_count(g)), alone = y;
    kernels::max_pool_forward<T>(g, x.data(), y.data(), got_index.data());
    kernels::max_pool_forward<T>(g, x.data(), alone.data(), nullptr);
    BOOST_CHECK_EQUAL_COLLECTIONS(index.begin(), index.end(), got_index.begin(), got_index.end());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const T exact = x[std::int64_t(i) / out_plane * in_plane + index[i]];
      BOOST_CHECK(std::isnan(exact) ? std::isnan(y[i]) && std::isnan(alone[i])
                                    : y[i] == exact && alone[i] == exact);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(average_divides_by_the_window_or_by_its_part_inside, T, FloatTypes) {
  for (const PoolGeometry& g : cases(false))
    for (const bool count_padding : {false, true}) {
      const auto x = noise<T>(in_count(g), 1), gy = noise<T>(out_count(g), 2);
      const std::int64_t in_plane = g.planes ? in_count(g) / g.planes : 1,
                         out_plane = g.planes ? out_count(g) / g.planes : 1;
      std::vector<double> hits(gy.size()), y(gy.size()), gx(x.begin(), x.end());
      for_each_cell(g, [&](auto plane, auto o, auto, auto) { ++hits[plane * out_plane + o]; });
      for_each_cell(g, [&](auto plane, auto o, auto i, auto cells) {
        const double share = 1 / (count_padding ? double(cells) : hits[plane * out_plane + o]);
        y[plane * out_plane + o] += share * double(x[plane * in_plane + i]);
        gx[plane * in_plane + i] += share * double(gy[plane * out_plane + o]);
      });
      auto got = garbage<T>(out_count(g)), got_gx = x;
      kernels::avg_pool_forward<T>(g, count_padding, x.data(), got.data());
      check_close(got, y);
      kernels::avg_pool_backward<T>(g, count_padding, gy.data(), got_gx.data(), 1);
      check_close(got_gx, gx);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adaptive_average_covers_the_input_with_overlapping_windows, T, FloatTypes) {
  for (const auto& [in, out] : {std::pair{7, 3}, {3, 7}, {8, 1}, {5, 5}, {300, 7}, {12, 6}, {130, 10}}) {
    const PoolGeometry g{2, 3, {4, in}, {1, 1}, {2, out}, {1, 1}, {1, 1}, {0, 0}};
    const auto x = noise<T>(in_count(g), 1), gy = noise<T>(out_count(g), 2);
    std::vector<double> y(gy.size()), gx(x.size());
    for (int plane = 0; plane < 3; ++plane)
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < out; ++j) {
          const int begin = int(std::floor(double(j) * in / out)),
                    end = int(std::ceil(double(j + 1) * in / out));
          for (int h = 2 * i; h < 2 * i + 2; ++h)
            for (int w = begin; w < end; ++w) {
              const int o = (plane * 2 + i) * out + j, c = (plane * 4 + h) * in + w;
              y[o] += double(x[c]) / (2 * (end - begin));
              gx[c] += double(gy[o]) / (2 * (end - begin));
            }
        }
    auto got = garbage<T>(out_count(g)), got_gx = garbage<T>(in_count(g));
    kernels::adaptive_avg_pool_forward<T>(g, x.data(), got.data());
    check_close(got, y);
    kernels::adaptive_avg_pool_backward<T>(g, gy.data(), got_gx.data(), 0);
    check_close(got_gx, gx);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adaptive_average_of_whole_planes_adds_its_gradient, T, FloatTypes) {
  for (const std::int64_t width : {1, 7, 130}) {
    const PoolGeometry g{2, 3, {4, width}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    const auto x = noise<T>(in_count(g), 1), gy = noise<T>(3, 2);
    std::vector<double> y(3), gx(x.begin(), x.end());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto plane = i / std::size_t(4 * width);
      y[plane] += double(x[i]) / double(4 * width);
      gx[i] += double(gy[plane]) / double(4 * width);
    }
    auto got = garbage<T>(3), got_gx = x;
    kernels::adaptive_avg_pool_forward<T>(g, x.data(), got.data());
    check_close(got, y);
    kernels::adaptive_avg_pool_backward<T>(g, gy.data(), got_gx.data(), 1);
    check_close(got_gx, gx);
    for (std::size_t i = 0; i < x.size(); ++i) gx[i] -= double(x[i]);
    got_gx = garbage<T>(in_count(g));
    kernels::adaptive_avg_pool_backward<T>(g, gy.data(), got_gx.data(), 0);
    check_close(got_gx, gx);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const PoolGeometry& g : cases(false)) {
    const auto x = noise<T>(in_count(g), 1), gy = noise<T>(out_count(g), 2);
    check_same_bits_at_any_thread_count([&] {
      auto y = garbage<T>(out_count(g)), mean = y, gx = garbage<T>(in_count(g)), gm = gx;
      std::vector<std::int64_t> index(gy.size());
      kernels::max_pool_forward<T>(g, x.data(), y.data(), index.data());
      kernels::max_pool_backward<T>(g, gy.data(), index.data(), gx.data(), 0);
      kernels::avg_pool_forward<T>(g, true, x.data(), mean.data());
      kernels::avg_pool_backward<T>(g, true, gy.data(), gm.data(), 0);
      return joined({y, gx, mean, gm});
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
