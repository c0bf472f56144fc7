#include "kernel_support.h"

#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/reduce.h>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

using Dims = std::vector<std::int64_t>;

std::int64_t count_of(const Dims& dims) {
  std::int64_t count = 1;
  for (auto d : dims) count *= d;
  return count;
}

/// Element of the dense, right-aligned operand `shape` that element `flat` of `out` reads.
std::int64_t read_at(const Dims& out, const Dims& shape, std::int64_t flat) {
  std::int64_t at = 0, step = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t index = flat % out[out.size() - 1 - i];
    flat /= out[out.size() - 1 - i];
    if (i >= shape.size()) continue;
    const std::int64_t length = shape[shape.size() - 1 - i];
    if (length != 1) at += index * step;
    step *= length;
  }
  return at;
}

struct Broadcast {
  Dims out, a, b;
};
const Broadcast kBroadcasts[] = {
    {{6}, {6}, {6}},
    {{}, {}, {}},
    {{3, 4}, {3, 4}, {}},
    {{3, 4}, {1}, {3, 4}},
    {{3, 4}, {4}, {3, 1}},
    {{2, 3, 5}, {2, 3, 5}, {3, 1}},
    {{2, 3, 5}, {2, 1, 5}, {1, 3, 1}},
    {{2, 3, 4, 5}, {1, 3, 1, 1}, {2, 3, 4, 5}},
    {{4, 1, 3, 1, 2}, {4, 1, 1, 1, 2}, {3, 1, 1}},
    {{0, 3}, {0, 3}, {3}},
    {{200, 40, 30}, {200, 40, 30}, {40, 1}},
    {{70000}, {70000}, {1}},
    {{1, 70000}, {70000}, {1, 1}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(elementwise_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(loops_visit_every_element_once, T, FloatTypes) {
  for (const std::int64_t n : {0, 1, 7, 100000}) {
    const auto a = noise<T>(n, 1), b = noise<T>(n, 2);
    std::vector<double> expected_unary, expected_binary;
    for (std::int64_t i = 0; i < n; ++i)
      expected_unary.push_back(3 * double(a[i])), expected_binary.push_back(double(a[i] - b[i]));
    auto y = garbage<T>(n);
    kernels::unary(n, a.data(), y.data(), [](T x) { return 3 * x; });
    check_close(y, expected_unary);
    kernels::binary(n, a.data(), b.data(), y.data(), [](T x, T z) { return x - z; });
    check_close(y, expected_binary);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(broadcast_operands_meet_as_in_numpy, T, FloatTypes) {
  for (const auto& [out, a, b] : kBroadcasts) {
    const auto xa = noise<T>(count_of(a), 1), xb = noise<T>(count_of(b), 2);
    const kernels::BroadcastPlan plan(out, a, b);
    auto y = garbage<T>(count_of(out));
    kernels::binary_broadcast(plan, xa.data(), xb.data(), y.data(), [](T p, T q) { return p - 2 * q; });
    std::vector<double> expected;
    for (std::int64_t i = 0; i < count_of(out); ++i)
      expected.push_back(double(xa[read_at(out, a, i)]) - 2 * double(xb[read_at(out, b, i)]));
    check_close(y, expected);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sum_to_shape_is_the_adjoint_of_broadcasting, T, FloatTypes) {
  for (const auto& [out, a, b] : kBroadcasts)
    for (const Dims& to : {a, b})
      for (const T beta : {T(0), T(1)}) {
        const auto x = noise<T>(count_of(out), 1);
        auto y = beta == 0 ? garbage<T>(count_of(to)) : noise<T>(count_of(to), 2);
        std::vector<double> expected(y.begin(), y.end());
        if (beta == 0) expected.assign(y.size(), 0);
        for (std::int64_t i = 0; i < count_of(out); ++i) expected[read_at(out, to, i)] += double(x[i]);
        kernels::sum_to_shape<T>(out, to, x.data(), beta, y.data());
        check_close(y, expected);
        check_same_bits_at_any_thread_count([&] {
          auto z = garbage<T>(count_of(to));
          kernels::sum_to_shape<T>(out, to, x.data(), 0, z.data());
          return z;
        });
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sums_over_the_middle_axis, T, FloatTypes) {
  struct Axes {
    std::int64_t outer, n, inner;
  };
  for (const auto& [outer, n, inner] : {Axes{1, 1, 1},
                                        {1, 100003, 1},
                                        {3, 5000, 1},
                                        {1, 7000, 20},
                                        {1, 10, 3000},
                                        {5, 70, 300},
                                        {700, 1, 1},
                                        {700, 5, 1},
                                        {700, 16, 1},
                                        {300, 33, 1},
                                        {100, 63, 1},
                                        {50, 64, 1},
                                        {2, 0, 3},
                                        {0, 3, 3}}) {
    const auto x = noise<T>(outer * n * inner, 1), before = noise<T>(outer * inner, 2);
    std::vector<double> expected(before.begin(), before.end());
    for (std::int64_t i = 0; i < outer * n * inner; ++i)
      expected[i / (n * inner) * inner + i % inner] += 0.5 * double(x[i]);
    auto y = before;
    kernels::sum_axis<T>(outer, n, inner, T(0.5), x.data(), T(1), y.data());
    check_close(y, expected);
    check_same_bits_at_any_thread_count([&, outer = outer, n = n, inner = inner] {
      auto z = garbage<T>(outer * inner);
      kernels::sum_axis<T>(outer, n, inner, T(1), x.data(), T(0), z.data());
      return z;
    });
  }
}

BOOST_AUTO_TEST_CASE(long_f32_sums_keep_their_digits) {
  const std::vector<float> x(10'000'000, 0.1f);
  float y = 0;
  kernels::sum_axis<float>(1, std::int64_t(x.size()), 1, 1.0f, x.data(), 0.0f, &y);
  BOOST_CHECK_CLOSE(double(y), 1e7 * double(0.1f), 1e-4);
}

BOOST_AUTO_TEST_SUITE_END()
