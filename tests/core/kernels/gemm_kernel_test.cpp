#include "kernel_support.h"

#include <evenkeel/core/kernels/blas.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/gemm_unpacked.h>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

struct Sides {
  std::int64_t m, n, k;
};

template <class T>
std::vector<double> reference(bool ta, bool tb, Sides s, double alpha, const T* a, const T* b, double beta,
                              const std::vector<T>& c) {
  std::vector<double> result(c.size());
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < s.k; ++p)
        sum += double(ta ? a[p * s.m + i] : a[i * s.k + p]) * double(tb ? b[j * s.k + p] : b[p * s.n + j]);
      result[i * s.n + j] = alpha * sum + (beta == 0 ? 0 : beta * double(c[i * s.n + j]));
    }
  return result;
}

/// The same rows with `apart` ones behind each.
template <class T>
std::vector<T> spread(const std::vector<T>& rows, std::int64_t width, std::int64_t apart) {
  std::vector<T> result;
  for (auto row = rows.begin(); row != rows.end(); row += width) {
    result.insert(result.end(), row, row + width);
    result.insert(result.end(), apart, T(1));
  }
  return result;
}

const Sides kSides[] = {{1, 1, 1},     {0, 3, 4},       {3, 0, 4},     {3, 4, 0},       {7, 1, 5},
                        {1, 9, 3},     {33, 47, 19},    {300, 21, 65}, {20, 500, 130},  {301, 45, 70},
                        {45, 301, 70}, {80, 97, 401},   {57, 313, 97}, {130, 128, 400}, {130, 144, 800},
                        {17, 130, 77}, {400, 270, 390}, {64, 64, 0},   {64, 10, 100},   {176, 24, 530},
                        {5, 300, 300}, {1, 600, 900},   {2, 700, 70}};

}  // namespace

BOOST_AUTO_TEST_SUITE(gemm_kernel_test)

BOOST_AUTO_TEST_CASE_TEMPLATE(products_with_every_transposition, T, FloatTypes) {
  for (const Sides s : kSides)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const T alpha : {T(1), T(0.75)})
          for (const T beta : {T(0), T(1), T(0.5)}) {
            const auto a = noise<T>(s.m * s.k, 1), b = noise<T>(s.k * s.n, 2);
            const auto before = beta == 0 ? garbage<T>(s.m * s.n) : noise<T>(s.m * s.n, 3);
            const auto expected =
                reference(ta, tb, s, double(alpha), a.data(), b.data(), double(beta), before);
            for (auto* product : {&kernels::gemm<T>, &kernels::gemm_parallel<T>}) {
              auto c = before;
              product(ta, tb, s.m, s.n, s.k, alpha, a.data(), ta ? s.m : s.k, b.data(), tb ? s.k : s.n, beta,
                      c.data(), s.n);
              check_close(c, expected);
            }
          }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(parts_of_larger_matrices_leave_the_rest_alone, T, FloatTypes) {
  constexpr std::int64_t kApart = 5;
  for (const Sides s : {Sides{1, 9, 3}, Sides{9, 1, 3}, Sides{33, 47, 19}, Sides{80, 300, 130},
                        Sides{40, 250, 200}, Sides{64, 10, 100}, Sides{64, 10, 1100}, Sides{200, 70, 40}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const auto a = noise<T>(s.m * s.k, 1), b = noise<T>(s.k * s.n, 2);
        const std::int64_t width_a = ta ? s.m : s.k, width_b = tb ? s.k : s.n;
        const auto wide_a = spread(a, width_a, kApart), wide_b = spread(b, width_b, kApart);
        const auto wide_c = spread(noise<T>(s.m * s.n, 3), s.n, kApart);
        const auto expected =
            spread(reference(ta, tb, s, 1, a.data(), b.data(), 2, noise<T>(s.m * s.n, 3)), s.n, kApart);
        for (auto* product : {&kernels::gemm<T>, &kernels::gemm_parallel<T>}) {
          auto c = wide_c;
          product(ta, tb, s.m, s.n, s.k, 1, wide_a.data(), width_a + kApart, wide_b.data(), width_b + kApart,
                  2, c.data(), s.n + kApart);
          check_close(c, expected);
        }
      }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(biases_start_every_row, T, FloatTypes) {
  constexpr std::int64_t kApart = 5;
  for (const Sides s : kSides) {
    const auto a = noise<T>(s.m * s.k, 1), b = noise<T>(s.k * s.n, 2), bias = noise<T>(s.n, 3);
    std::vector<T> start;
    for (std::int64_t i = 0; i < s.m; ++i) start.insert(start.end(), bias.begin(), bias.end());
    const auto wide_a = spread(a, s.k, kApart), wide_b = spread(b, s.k, kApart);
    const auto product = [&](const T* starts_from) {
      auto c = spread(garbage<T>(s.m * s.n), s.n, kApart);
      kernels::gemm_bias(s.m, s.n, s.k, wide_a.data(), s.k + kApart, wide_b.data(), s.k + kApart, starts_from,
                         c.data(), s.n + kApart);
      return c;
    };
    BOOST_TEST_CONTEXT(s.m << " x " << s.n << " x " << s.k) {
      check_close(product(bias.data()),
                  spread(reference(false, true, s, 1, a.data(), b.data(), 1, start), s.n, kApart));
      check_close(product(nullptr),
                  spread(reference(false, true, s, 1, a.data(), b.data(), 0, start), s.n, kApart));
    }
  }
}

BOOST_AUTO_TEST_CASE(products_that_pack_nothing_are_the_product) {
  constexpr std::int64_t kApart = 3;
  for (const std::int64_t m : {1, 2, 3, 4, 5, 9})
    for (const std::int64_t n : {1, 16, 17, 70, 200})
      for (const std::int64_t k : {0, 1, 15, 16, 100, 1024, 1030, 2100})
        for (const bool ta : {false, true})
          for (const bool tb : {false, true})
            for (const float beta : {0.0f, 1.0f, 0.5f}) {
              if (ta && tb) continue;
              const auto a = noise<float>(m * k, 1), b = noise<float>(n * k, 2);
              const auto before = beta == 0 ? garbage<float>(m * n) : noise<float>(m * n, 3);
              const auto expected =
                  spread(reference(ta, tb, {m, n, k}, 1, a.data(), b.data(), beta, before), n, kApart);
              auto c = spread(before, n, kApart);
              const std::int64_t width_a = ta ? m : k, width_b = tb ? k : n;
              const auto wide_a = spread(a, width_a, kApart), wide_b = spread(b, width_b, kApart);
              const std::int64_t lda = width_a + kApart, ldb = width_b + kApart, ldc = n + kApart;
              if (tb)
                kernels::gemm_dots(m, n, k, wide_a.data(), lda, wide_b.data(), ldb, {c.data(), ldc, beta},
                                   c.data(), ldc);
              else
                kernels::gemm_streams(ta, m, n, k, wide_a.data(), lda, wide_b.data(), ldb,
                                      {c.data(), ldc, beta}, c.data(), ldc);
              BOOST_TEST_CONTEXT(m << " x " << n << " x " << k << (ta ? " turned" : "")) {
                check_close(c, expected);
              }
            }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(factors_of_zero_read_nothing, T, FloatTypes) {
  const auto nan = garbage<T>(64 * 64);
  const auto ones = std::vector<T>(64 * 64, 1);
  auto c = nan;
  kernels::gemm<T>(false, false, 64, 64, 64, 1, ones.data(), 64, ones.data(), 64, 0, c.data(), 64);
  check_close(c, std::vector<T>(64 * 64, 64));
  kernels::gemm<T>(false, false, 64, 64, 64, 0, nan.data(), 64, nan.data(), 64, 0.5, c.data(), 64);
  check_close(c, std::vector<T>(64 * 64, 32));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(subnormal_numbers_count_as_zero, T, FloatTypes) {
  for (const Sides s : {Sides{1, 1, 5}, Sides{1, 70, 30}, Sides{70, 1, 30}, Sides{64, 64, 64}}) {
    const std::vector<T> a(s.m * s.k, std::numeric_limits<T>::denorm_min()), b(s.k * s.n, T(1e30));
    auto c = garbage<T>(s.m * s.n);
    kernels::gemm<T>(false, false, s.m, s.n, s.k, 1, a.data(), s.k, b.data(), s.n, 0, c.data(), s.n);
    BOOST_CHECK(c == std::vector<T>(s.m * s.n, 0));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(batches_walk_or_share_their_operands, T, FloatTypes) {
  for (const std::int64_t batch : {0, 1, 5}) {
    const Sides s{6, 7, 8};
    const auto a = noise<T>(batch * s.m * s.k, 1), b = noise<T>(s.k * s.n, 2);
    auto c = garbage<T>(batch * s.m * s.n);
    kernels::gemm_batched<T>(batch, false, true, s.m, s.n, s.k, 1, a.data(), s.m * s.k, b.data(), 0, 0,
                             c.data());
    for (std::int64_t i = 0; i < batch; ++i) {
      const std::vector<T> item(c.begin() + i * s.m * s.n, c.begin() + (i + 1) * s.m * s.n);
      check_close(item, reference(false, true, s, 1, a.data() + i * s.m * s.k, b.data(), 0, item));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const Sides s : {Sides{300, 310, 200}, Sides{310, 300, 200}, Sides{1000, 20, 300},
                        Sides{20, 1000, 300}, Sides{64, 600, 300}, Sides{240, 160, 250}, Sides{7, 600, 900},
                        Sides{64, 10, 1100}, Sides{700, 70, 40}}) {
    const auto a = noise<T>(s.m * s.k, 1), b = noise<T>(s.k * s.n, 2);
    for (const bool tb : {false, true})
      check_same_bits_at_any_thread_count([&] {
        auto c = garbage<T>(s.m * s.n);
        kernels::gemm_parallel<T>(false, tb, s.m, s.n, s.k, 1, a.data(), s.k, b.data(), tb ? s.k : s.n, 0,
                                  c.data(), s.n);
        return c;
      });
  }
}

BOOST_AUTO_TEST_CASE(openblas_runs_kernels_as_wide_as_the_processor) {
  const std::string core = kernels::blas_core();
  if (core.starts_with("Eigen ") || !__builtin_cpu_supports("avx512vl")) {
    BOOST_TEST_MESSAGE("skipped: " << core);
    return;
  }
  BOOST_CHECK_MESSAGE(
      core == "OpenBLAS SkylakeX" || core == "OpenBLAS Cooperlake" || core == "OpenBLAS SapphireRapids",
      core);
}

BOOST_AUTO_TEST_SUITE_END()
