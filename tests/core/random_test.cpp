#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>

#include <Random123/philox.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace evenkeel;

namespace {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  const auto out = r123::Philox4x32()({{counter[0], counter[1], counter[2], counter[3]}}, {{key[0], key[1]}});
  return {out[0], out[1], out[2], out[3]};
}

/// Mean of values^power.
double moment(const std::vector<double>& values, int power) {
  double total = 0;
  for (const double value : values) total += std::pow(value, power);
  return total / static_cast<double>(values.size());
}

constexpr std::int64_t kMany = 400000;

}  // namespace

BOOST_AUTO_TEST_SUITE(random_test)

BOOST_AUTO_TEST_CASE(philox_gives_the_published_known_answers) {
  using Words = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t kFull = 0xffffffff;
  BOOST_TEST((philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST((philox({kFull, kFull, kFull, kFull}, {kFull, kFull}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(the_first_number_of_seed_zero_comes_from_the_first_known_answer) {
  const std::uint64_t word = (std::uint64_t{0x6627e8d5} << 32) | 0xe169c58d;
  BOOST_TEST(Rng(0).uniform() == static_cast<double>(word >> 11) * 0x1p-53);
}

BOOST_AUTO_TEST_CASE(normal_numbers_have_the_moments_of_the_normal_distribution) {
  Rng rng(11);
  std::vector<double> values(kMany);
  rng.normal(values.data(), kMany);
  BOOST_TEST(std::abs(moment(values, 1)) < 0.01);
  BOOST_TEST(std::abs(moment(values, 2) - 1) < 0.01);
  BOOST_TEST(std::abs(moment(values, 3)) < 0.03);
  BOOST_TEST(std::abs(moment(values, 4) - 3) < 0.06);
}

BOOST_AUTO_TEST_CASE(uniform_numbers_have_their_moments_and_stay_inside) {
  Rng rng(12);
  std::vector<double> values(kMany);
  rng.uniform(values.data(), kMany, -1, 3);
  BOOST_TEST(std::abs(moment(values, 1) - 1) < 0.01);
  BOOST_TEST(std::abs(moment(values, 2) - (1 + 16.0 / 12)) < 0.02);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  BOOST_TEST(*low >= -1);
  BOOST_TEST(*high < 3);
}

BOOST_AUTO_TEST_CASE(f32_numbers_never_round_up_to_the_bound) {
  Rng rng(13);
  std::vector<float> values(1 << 22);
  rng.uniform(values.data(), 1 << 22, 0, 1);
  BOOST_TEST(*std::max_element(values.begin(), values.end()) < 1.f);
}

BOOST_AUTO_TEST_CASE(the_numbers_do_not_depend_on_the_threads) {
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 7}) {
    set_num_threads(threads);
    Rng rng(5);
    results.push_back(Tensor::randn({100001}, rng).to_vector<float>());
  }
  set_num_threads(before);
  BOOST_TEST((results[0] == results[1]));
  BOOST_TEST((results[0] == results[2]));
}

BOOST_AUTO_TEST_CASE(a_state_put_back_goes_on_where_it_was) {
  Rng rng(3);
  rng.normal();
  const Rng::State state = rng.state();
  const double next = rng.normal();
  Rng other(99);
  other.set_state(state);
  BOOST_TEST(other.normal() == next);
}

BOOST_AUTO_TEST_CASE(forks_are_streams_of_their_own) {
  Rng rng(3);
  Rng first = rng.fork(), second = rng.fork();
  BOOST_TEST(first.state().key != second.state().key);
  std::vector<double> a(kMany), b(kMany);
  first.normal(a.data(), kMany);
  second.normal(b.data(), kMany);
  BOOST_TEST(std::abs(std::inner_product(a.begin(), a.end(), b.begin(), 0.0) / kMany) < 0.01);
}

BOOST_AUTO_TEST_CASE(below_is_even_and_wants_a_bound) {
  Rng rng(4);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<std::size_t>(rng.below(7))];
  for (const int count : counts) BOOST_TEST(std::abs(count - 10000) < 500);
  BOOST_TEST(rng.below(1) == 0);
  BOOST_CHECK_THROW(rng.below(0), ValueError);
}

BOOST_AUTO_TEST_CASE(a_permutation_holds_each_number_once) {
  Rng rng(4);
  std::vector<std::int64_t> order = rng.permutation(1000);
  BOOST_TEST((!std::is_sorted(order.begin(), order.end())));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) BOOST_REQUIRE(order[static_cast<std::size_t>(i)] == i);
  BOOST_TEST(rng.permutation(0).empty());
}

BOOST_AUTO_TEST_SUITE_END()
