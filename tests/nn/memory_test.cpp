#include <evenkeel/core/ops/reduce.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/modern.h>
#include <boost/test/unit_test.hpp>

#include <cstdio>

using namespace evenkeel;

namespace {

/// Resident bytes of this process.
std::size_t resident() {
  std::size_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * 4096;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_test)

BOOST_AUTO_TEST_CASE(a_thousand_random_lengths_leave_the_memory_flat) {
  Rng rng(9);
  nn::ConvModern1d layer({.in_planes = 4, .out_planes = 8, .stride = 2}, rng);
  const auto train_some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const Tensor x = Tensor::randn({4, 4, 100 + rng.below(4000)}, rng);
      mean(layer(x)).backward();
      layer.zero_grad();
    }
  };
  train_some(200);
  const std::size_t before = resident();
  train_some(1000);
  BOOST_TEST(resident() <= before + before / 20 + (std::size_t{4} << 20),
             "grew from " << before << " to " << resident());
}

BOOST_AUTO_TEST_SUITE_END()
