#include "kernel_support.h"

#include <evenkeel/core/kernels/norm.h>

using namespace evenkeel;
using namespace evenkeel::test;
using kernels::NormGeometry;

namespace {

const NormGeometry kCases[] = {{4, 3, 10, 0}, {4, 3, 10, 3},    {4, 6, 10, 2},    {1, 2, 5, 0},
                               {7, 5, 1, 0},  {2, 4, 1, 2},     {2, 3, 5000, 3},  {3, 2, 4097, 0},
                               {2, 8, 33, 1}, {16, 40, 100, 0}, {64, 20, 12, 20}, {300, 70, 1, 0},
                               {9, 50, 7, 0}, {5, 6, 50, 0},    {5, 6, 51, 0}};
constexpr double kEps = 1e-5;

std::int64_t statistic(const NormGeometry& g, std::int64_t n, std::int64_t c) {
  return g.groups == 0 ? c : n * g.groups + c / (g.channels / g.groups);
}

struct Reference {
  std::vector<double> mean, variance, y, gx, gweight, gbias;
};

/// Two passes in double for the statistics; the gradient of the textbook, term by term.
template <class T>
Reference reference(const NormGeometry& g, bool from_input, const std::vector<T>& x, const std::vector<T>& gy,
                    const std::vector<T>& weight, const std::vector<T>& bias, std::vector<double> mean = {},
                    std::vector<double> variance = {}) {
  const auto count = std::size_t(g.statistics());
  Reference r{std::vector<double>(count),      std::vector<double>(count),
              std::vector<double>(x.size()),   std::vector<double>(x.size()),
              std::vector<double>(g.channels), std::vector<double>(g.channels)};
  const auto each = [&](auto&& f) {
    for (std::int64_t n = 0; n < g.batch; ++n)
      for (std::int64_t c = 0; c < g.channels; ++c)
        for (std::int64_t i = 0; i < g.size; ++i) f((n * g.channels + c) * g.size + i, c, statistic(g, n, c));
  };
  const double elements = double(g.elements());
  if (from_input) {
    each([&](auto i, auto, auto s) { r.mean[s] += double(x[i]) / elements; });
    each([&](auto i, auto, auto s) { r.variance[s] += std::pow(double(x[i]) - r.mean[s], 2) / elements; });
  } else {
    r.mean = mean;
    r.variance = variance;
  }
  const auto normalised = [&](auto i, auto s) {
    return (double(x[i]) - r.mean[s]) / std::sqrt(r.variance[s] + kEps);
  };
  std::vector<double> a(count), b(count);
  each([&](auto i, auto c, auto s) {
    r.y[i] = normalised(i, s) * double(weight[c]) + double(bias[c]);
    r.gweight[c] += double(gy[i]) * normalised(i, s);
    r.gbias[c] += double(gy[i]);
    a[s] += double(gy[i]) * double(weight[c]) / elements;
    b[s] += double(gy[i]) * double(weight[c]) * normalised(i, s) / elements;
  });
  each([&](auto i, auto c, auto s) {
    r.gx[i] = double(gy[i]) * double(weight[c]) - (from_input ? a[s] + b[s] * normalised(i, s) : 0);
    r.gx[i] /= std::sqrt(r.variance[s] + kEps);
  });
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(norm_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(training_uses_the_statistics_of_the_input, T, FloatTypes) {
  for (const NormGeometry& g : kCases) {
    const std::int64_t count = g.batch * g.channels * g.size;
    const auto x = noise<T>(count, 1), gy = noise<T>(count, 2), w = noise<T>(g.channels, 3),
               b = noise<T>(g.channels, 4);
    const Reference r = reference(g, true, x, gy, w, b);
    auto mean = garbage<T>(g.statistics()), variance = mean, rstd = mean, y = garbage<T>(count), gx = x,
         gw = w, gb = b;
    kernels::moments<T>(g, x.data(), mean.data(), variance.data());
    check_close(mean, r.mean);
    check_close(variance, r.variance);
    if (g.elements() == 1) continue;  // all deviations are rounding errors, which 1 / sqrt(eps) magnifies
    kernels::reciprocal_std<T>(g.statistics(), variance.data(), kEps, rstd.data());
    kernels::normalize_forward<T>(g, x.data(), mean.data(), rstd.data(), w.data(), b.data(), y.data());
    check_close(y, r.y, 4 * kTolerance<T>);
    kernels::normalize_backward<T>(g, true, x.data(), gy.data(), mean.data(), rstd.data(), w.data(),
                                   gx.data(), 1, gw.data(), gb.data(), 1);
    Reference sum = r;
    for (std::size_t i = 0; i < x.size(); ++i) sum.gx[i] += double(x[i]);
    for (std::int64_t c = 0; c < g.channels; ++c)
      sum.gweight[c] += double(w[c]), sum.gbias[c] += double(b[c]);
    check_close(gx, sum.gx, 20 * kTolerance<T>);
    check_close(gw, sum.gweight, 20 * kTolerance<T>);
    check_close(gb, sum.gbias, 20 * kTolerance<T>);
    gx = garbage<T>(count);
    kernels::normalize_backward<T>(g, true, x.data(), gy.data(), mean.data(), rstd.data(), w.data(),
                                   gx.data(), 0, nullptr, nullptr, 0);
    check_close(gx, r.gx, 20 * kTolerance<T>);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(evaluation_takes_the_statistics_as_constants, T, FloatTypes) {
  const NormGeometry g{3, 4, 17, 0};
  const std::int64_t count = g.batch * g.channels * g.size;
  const auto x = noise<T>(count, 1), gy = noise<T>(count, 2), w = noise<T>(4, 3), b = noise<T>(4, 4);
  const std::vector<double> mean{0.1, -0.2, 0.3, 0}, variance{1, 2, 0.5, 0.25};
  const Reference r = reference(g, false, x, gy, w, b, mean, variance);
  const std::vector<T> m(mean.begin(), mean.end()), v(variance.begin(), variance.end());
  auto rstd = garbage<T>(4), y = garbage<T>(count), gx = y, gw = garbage<T>(4), gb = gw;
  kernels::reciprocal_std<T>(4, v.data(), kEps, rstd.data());
  kernels::normalize_forward<T>(g, x.data(), m.data(), rstd.data(), w.data(), b.data(), y.data());
  kernels::normalize_backward<T>(g, false, x.data(), gy.data(), m.data(), rstd.data(), w.data(), gx.data(), 0,
                                 gw.data(), gb.data(), 0);
  check_close(y, r.y);
  check_close(gx, r.gx);
  check_close(gw, r.gweight, 20 * kTolerance<T>);
  check_close(gb, r.gbias);
}

BOOST_AUTO_TEST_CASE(moments_survive_a_mean_far_from_zero) {
  const NormGeometry g{2, 2, 10000, 0};
  auto x = noise<float>(40000, 1);
  const Reference small = reference(g, true, x, x, {1, 1}, {0, 0});
  for (float& value : x) value += 1000.0f;
  std::vector<float> mean(2), variance(2);
  kernels::moments<float>(g, x.data(), mean.data(), variance.data());
  check_close(variance, small.variance, 1e-4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(layer_norm_is_instance_norm_of_rows_with_an_affine_map_a_column, T,
                              FloatTypes) {
  for (const auto& [rows, size] : {std::pair{5, 7},
                                   {1, 3},
                                   {70, 1},
                                   {32, 31},
                                   {1000, 17},
                                   {90, 32},
                                   {130, 95},
                                   {130, 96},
                                   {3, 2111},
                                   {3, 5000}}) {
    const NormGeometry g{rows, 1, size, 1};
    const std::int64_t count = rows * size;
    const auto x = noise<T>(count, 1), gy = noise<T>(count, 2), w = noise<T>(size, 3), b = noise<T>(size, 4);
    // With the weight moved into gy the plain normalisation gives gx; y, gw and gb follow from its output.
    std::vector<T> wgy(gy);
    for (std::int64_t i = 0; i < count; ++i) wgy[i] *= w[i % size];
    const Reference r = reference<T>(g, true, x, wgy, {1}, {0});
    std::vector<double> y(count), gw(w.begin(), w.end()), gb(b.begin(), b.end()), gx(r.gx);
    for (std::int64_t i = 0; i < count; ++i) {
      y[i] = r.y[i] * double(w[i % size]) + double(b[i % size]);
      gw[i % size] += double(gy[i]) * r.y[i];
      gb[i % size] += double(gy[i]);
      gx[i] += double(x[i]);
    }
    auto mean = garbage<T>(rows), rstd = mean, got_y = garbage<T>(count), got_gx = x, got_gw = w, got_gb = b;
    kernels::layer_norm_forward<T>(rows, size, x.data(), w.data(), b.data(), kEps, got_y.data(), mean.data(),
                                   rstd.data());
    kernels::layer_norm_backward<T>(rows, size, x.data(), gy.data(), mean.data(), rstd.data(), w.data(),
                                    got_gx.data(), 1, got_gw.data(), got_gb.data(), 1);
    check_close(got_y, y);
    check_close(got_gx, gx, 20 * kTolerance<T>);
    check_close(got_gw, gw, 20 * kTolerance<T>);
    check_close(got_gb, gb, 20 * kTolerance<T>);
    kernels::layer_norm_forward<T>(rows, size, x.data(), nullptr, nullptr, kEps, got_y.data(), mean.data(),
                                   rstd.data());
    check_close(got_y, r.y);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(rms_norm_divides_by_the_root_mean_square, T, FloatTypes) {
  for (const auto& [rows, size] : {std::pair{5, 7}, {70, 33}, {1000, 2}, {32, 31}, {40, 32}, {40, 101}}) {
    const auto x = noise<T>(rows * size, 1), gy = noise<T>(rows * size, 2), w = noise<T>(size, 3);
    std::vector<double> y(x.size()), gx(x.size()), gw(size);
    for (std::int64_t row = 0; row < rows; ++row) {
      double squares = 0, dot = 0;
      for (std::int64_t i = 0; i < size; ++i) squares += std::pow(double(x[row * size + i]), 2);
      const double rstd = 1 / std::sqrt(squares / double(size) + kEps);
      for (std::int64_t i = 0; i < size; ++i)
        dot += double(gy[row * size + i]) * double(w[i]) * double(x[row * size + i]);
      for (std::int64_t i = 0; i < size; ++i) {
        const double value = double(x[row * size + i]), out = double(gy[row * size + i]);
        y[row * size + i] = value * rstd * double(w[i]);
        gw[i] += out * value * rstd;
        gx[row * size + i] = rstd * (out * double(w[i]) - value * rstd * rstd * dot / double(size));
      }
    }
    auto got_y = garbage<T>(rows * size), got_gx = got_y, rstd = garbage<T>(rows), got_gw = garbage<T>(size);
    kernels::rms_norm_forward<T>(rows, size, x.data(), w.data(), kEps, got_y.data(), rstd.data());
    kernels::rms_norm_backward<T>(rows, size, x.data(), gy.data(), rstd.data(), w.data(), got_gx.data(), 0,
                                  got_gw.data(), 0);
    check_close(got_y, y);
    check_close(got_gx, gx);
    check_close(got_gw, gw, 4 * kTolerance<T>);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const NormGeometry& g : kCases) {
    const std::int64_t count = g.batch * g.channels * g.size;
    const auto x = noise<T>(count, 1), gy = noise<T>(count, 2), w = noise<T>(g.channels, 3);
    check_same_bits_at_any_thread_count([&] {
      auto mean = garbage<T>(g.statistics()), variance = mean, gx = garbage<T>(count),
           gw = garbage<T>(g.channels), gb = gw;
      kernels::moments<T>(g, x.data(), mean.data(), variance.data());
      kernels::normalize_backward<T>(g, true, x.data(), gy.data(), mean.data(), variance.data(), w.data(),
                                     gx.data(), 0, gw.data(), gb.data(), 0);
      auto ly = garbage<T>(count), lm = garbage<T>(g.batch * g.channels), lr = lm, lgx = ly,
           lgw = garbage<T>(g.size), lgb = lgw;
      kernels::layer_norm_forward<T>(g.batch * g.channels, g.size, x.data(), nullptr, nullptr, kEps,
                                     ly.data(), lm.data(), lr.data());
      kernels::layer_norm_backward<T>(g.batch * g.channels, g.size, x.data(), gy.data(), lm.data(), lr.data(),
                                      nullptr, lgx.data(), 0, lgw.data(), lgb.data(), 0);
      return joined({mean, variance, gx, gw, gb, ly, lgx, lgw, lgb});
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
