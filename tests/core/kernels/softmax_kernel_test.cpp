#include "kernel_support.h"

#include <evenkeel/core/kernels/softmax.h>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

struct Axes {
  std::int64_t outer, n, inner;
  std::int64_t count() const { return outer * n * inner; }
};
const Axes kCases[] = {{1, 1, 1},    {3, 10, 1},  {2, 5, 7},    {1, 4, 300}, {200, 3, 130}, {0, 3, 4},
                       {2, 1000, 1}, {70, 10, 1}, {70, 100, 1}, {0, 10, 1},  {50, 333, 1}};

/// Calls f(offsets of the n elements) for every line along the middle axis.
template <class F>
void for_each_line(Axes a, F&& f) {
  for (std::int64_t o = 0; o < a.outer; ++o)
    for (std::int64_t i = 0; i < a.inner; ++i) {
      std::vector<std::int64_t> at;
      for (std::int64_t k = 0; k < a.n; ++k) at.push_back((o * a.n + k) * a.inner + i);
      f(at);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(softmax_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(values_and_gradients_along_the_middle_axis, T, FloatTypes) {
  for (const Axes a : kCases) {
    auto x = noise<T>(a.count(), 1);
    for (T& value : x) value *= 100;  // exp of these would overflow in f32
    const auto gy = noise<T>(a.count(), 2);
    std::vector<double> y(x.size()), log_y(x.size()), gx(x.size()), log_gx(x.size()), largest, log_sum;
    for_each_line(a, [&](const auto& line) {
      double top = -1e300, sum = 0, dot = 0, total = 0;
      for (auto i : line) top = std::max(top, double(x[i]));
      for (auto i : line) sum += std::exp(double(x[i]) - top);
      largest.push_back(top);
      log_sum.push_back(std::log(sum));
      for (auto i : line) log_y[i] = double(x[i]) - top - std::log(sum), y[i] = std::exp(log_y[i]);
      for (auto i : line) dot += y[i] * double(gy[i]), total += double(gy[i]);
      for (auto i : line) gx[i] = y[i] * (double(gy[i]) - dot), log_gx[i] = double(gy[i]) - y[i] * total;
    });
    auto got = garbage<T>(a.count()), got_gx = garbage<T>(a.count());
    kernels::softmax_forward<T>(a.outer, a.n, a.inner, x.data(), got.data());
    check_close(got, y);
    const auto check_gradient = [&](auto* backward, const std::vector<double>& expected, double tolerance) {
      for (const T beta : {T(0), T(1)}) {
        auto sum = expected;
        for (std::size_t i = 0; i < x.size(); ++i) sum[i] += double(beta) * double(x[i]);
        got_gx = beta == 0 ? garbage<T>(a.count()) : x;
        backward(a.outer, a.n, a.inner, got.data(), gy.data(), got_gx.data(), beta);
        check_close(got_gx, sum, tolerance);
      }
    };
    check_gradient(&kernels::softmax_backward<T>, gx, 4 * kTolerance<T>);
    kernels::log_softmax_forward<T>(a.outer, a.n, a.inner, x.data(), got.data());
    check_close(got, log_y);
    check_gradient(&kernels::log_softmax_backward<T>, log_gx, 4 * kTolerance<T>);
    auto got_largest = garbage<T>(a.outer * a.inner), got_sum = got_largest;
    kernels::log_sum_exp<T>(a.outer, a.n, a.inner, x.data(), got_largest.data(), got_sum.data());
    check_close(got_largest, largest, 0);
    check_close(got_sum, log_sum);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const Axes a : kCases) {
    const auto x = noise<T>(a.count(), 1), gy = noise<T>(a.count(), 2);
    check_same_bits_at_any_thread_count([&] {
      auto y = garbage<T>(a.count()), z = y, gx = y, gz = y;
      auto largest = garbage<T>(a.outer * a.inner), log_sum = largest;
      kernels::log_sum_exp<T>(a.outer, a.n, a.inner, x.data(), largest.data(), log_sum.data());
      kernels::softmax_forward<T>(a.outer, a.n, a.inner, x.data(), y.data());
      kernels::softmax_backward<T>(a.outer, a.n, a.inner, y.data(), gy.data(), gx.data(), 0);
      kernels::log_softmax_forward<T>(a.outer, a.n, a.inner, x.data(), z.data());
      kernels::log_softmax_backward<T>(a.outer, a.n, a.inner, z.data(), gy.data(), gz.data(), 0);
      return joined({y, z, gx, gz, largest, log_sum});
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
