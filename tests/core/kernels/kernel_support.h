#pragma once

#include <evenkeel/core/parallel.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <tuple>
#include <type_traits>
#include <vector>

namespace evenkeel::test {

/// What every kernel is instantiated for.
using FloatTypes = std::tuple<float, double>;

/// Numbers in [-1, 1) that depend on `seed` only.
template <class T>
std::vector<T> noise(std::int64_t count, std::uint64_t seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::uint64_t state = seed * 2654435769u + 12345;
  for (T& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<T>(static_cast<double>(state >> 40) / (1 << 23) - 1.0);
  }
  return values;
}

template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;

/// Every got[i] within tolerance * (1 + |expected[i]|) of expected[i]; one message for the worst.
template <class T, class U>
void check_close(const std::vector<T>& got, const std::vector<U>& expected,
                 double tolerance = kTolerance<T>) {
  BOOST_REQUIRE_EQUAL(got.size(), expected.size());
  if (got.empty()) return;
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto want = static_cast<double>(expected[i]);
    double error = std::abs(static_cast<double>(got[i]) - want) / (1 + std::abs(want));
    if (std::isnan(static_cast<double>(got[i])) != std::isnan(want))
      error = std::numeric_limits<double>::infinity();
    if (error > worst) {
      worst = error;
      at = i;
    }
  }
  BOOST_CHECK_MESSAGE(worst <= tolerance, "worst error " << worst << " at " << at << " of " << got.size()
                                                         << ": got " << got[at] << ", expected "
                                                         << expected[at]);
}

/// run() with 1, 2, 3, 4, 8 and 16 threads must give the same bytes.
template <class F>
void check_same_bits_at_any_thread_count(F&& run) {
  const int before = num_threads();
  set_num_threads(1);
  const auto expected = run();
  for (const int threads : {2, 3, 4, 8, 16}) {
    set_num_threads(threads);
    const auto got = run();
    BOOST_REQUIRE_EQUAL(got.size(), expected.size());
    BOOST_CHECK_MESSAGE(
        got.empty() || std::memcmp(got.data(), expected.data(), got.size() * sizeof(got[0])) == 0,
        "other bits with " << threads << " threads than with 1");
  }
  set_num_threads(before);
}

template <class T>
std::vector<T> joined(std::initializer_list<std::vector<T>> parts) {
  std::vector<T> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// Memory that a kernel must overwrite without reading.
template <class T>
std::vector<T> garbage(std::int64_t count) {
  return std::vector<T>(static_cast<std::size_t>(count), std::numeric_limits<T>::quiet_NaN());
}

}  // namespace evenkeel::test
