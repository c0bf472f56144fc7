#include <evenkeel/core/error.h>
#include <evenkeel/core/tensor.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <thread>
#include <vector>

using namespace evenkeel;

namespace {

struct MemoryLimit {
  explicit MemoryLimit(std::size_t bytes) { set_memory_limit(bytes); }
  ~MemoryLimit() { set_memory_limit(0); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storage_test)

BOOST_AUTO_TEST_CASE(statistics_follow_what_is_handed_out) {
  release_cached();
  const MemoryStats before = memory_stats();
  {
    const Tensor x = Tensor::empty({1000});
    const MemoryStats during = memory_stats();
    BOOST_TEST(during.in_use >= before.in_use + 4000);
    BOOST_TEST(during.in_use <= before.in_use + 5000);
    BOOST_TEST(during.allocations == before.allocations + 1);
    BOOST_TEST(during.system_allocations == before.system_allocations + 1);
  }
  const MemoryStats after = memory_stats();
  BOOST_TEST(after.in_use == before.in_use);
  BOOST_TEST(after.cached >= before.cached + 4000);
}

BOOST_AUTO_TEST_CASE(freed_memory_is_used_again) {
  const void* first = Tensor::empty({12345}).data<float>();
  const std::uint64_t system = memory_stats().system_allocations;
  const Tensor again = Tensor::empty({12345});
  BOOST_TEST(again.data<float>() == first);
  BOOST_TEST(memory_stats().system_allocations == system);
}

BOOST_AUTO_TEST_CASE(cached_memory_can_be_given_back) {
  { const Tensor x = Tensor::empty({100000}); }
  BOOST_TEST(memory_stats().cached > 0);
  release_cached();
  BOOST_TEST(memory_stats().cached == 0);
}

BOOST_AUTO_TEST_CASE(the_peak_is_remembered) {
  reset_peak_memory();
  const std::size_t before = memory_stats().in_use;
  { const Tensor x = Tensor::empty({1 << 20}); }
  BOOST_TEST(memory_stats().peak_in_use >= before + (4 << 20));
  reset_peak_memory();
  BOOST_TEST(memory_stats().peak_in_use == memory_stats().in_use);
}

BOOST_AUTO_TEST_CASE(a_limit_is_kept_and_the_error_says_what_would_fit) {
  const MemoryLimit limit(memory_stats().in_use + (1 << 20));
  const Tensor small = Tensor::empty({1000});
  BOOST_CHECK_EXCEPTION(Tensor::empty({1 << 20}), MemoryError, [](const MemoryError& error) {
    const std::string text = error.what();
    return text.find("limit of") != text.npos && text.find("4194304 bytes") != text.npos &&
           text.find("would fit") != text.npos;
  });
}

BOOST_AUTO_TEST_CASE(blocks_of_all_sizes_hold_what_was_asked_for) {
  std::vector<Tensor> all;
  for (std::int64_t size = 1; size < 5000; size += 37) {
    all.push_back(Tensor::empty({size}, DType::i64));
    all.back().fill_(static_cast<double>(size));
  }
  for (const Tensor& tensor : all)
    BOOST_TEST(tensor.data<std::int64_t>()[tensor.numel() - 1] == tensor.numel());
}

BOOST_AUTO_TEST_CASE(many_threads_may_allocate_at_once) {
  const std::size_t before = memory_stats().in_use;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int k = 1; k < 2000; ++k) {
        Tensor x = Tensor::full({k % 50 + 1}, k);
        if (x.data<float>()[k % 50] != static_cast<float>(k)) std::abort();
      }
    });
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_SUITE_END()
