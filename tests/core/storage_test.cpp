#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>
#include <evenkeel/core/storage.h>
#include <evenkeel/core/tensor.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
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

BOOST_AUTO_TEST_CASE(a_thread_gets_back_what_it_gave_back_itself) {
  Tensor first = Tensor::empty({12345}), second = Tensor::empty({12345});
  const void* of_this = first.data<float>();
  const void* of_other = second.data<float>();
  first = Tensor();
  std::thread([&] { second = Tensor(); }).join();
  const std::uint64_t system = memory_stats().system_allocations;
  first = Tensor::empty({12345});
  second = Tensor::empty({12345});
  BOOST_TEST(first.data<float>() == of_this);
  BOOST_TEST(second.data<float>() == of_other);
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

BOOST_AUTO_TEST_CASE(what_would_fit_does_fit_and_a_byte_more_does_not) {
  release_cached();
  for (const std::size_t room : {1000, 5000, 100000, 123456, 1 << 20}) {
    const MemoryLimit limit(memory_stats().in_use + room);
    std::size_t fits = 0;
    try {
      detail::Storage(room + 1);
    } catch (const MemoryError& error) {
      const std::string text = error.what();
      fits = std::stoull(text.substr(text.find("where ") + 6));
    }
    BOOST_TEST(fits > room * 3 / 4);
    BOOST_TEST(fits <= room);
    BOOST_CHECK_NO_THROW(detail::Storage{fits});
    BOOST_CHECK_THROW(detail::Storage{fits + 1}, MemoryError);
  }
}

BOOST_AUTO_TEST_CASE(cached_memory_counts_against_the_limit_and_makes_room) {
  { const Tensor x = Tensor::empty({1 << 20}); }
  const std::size_t in_use = memory_stats().in_use;
  const MemoryLimit limit(in_use + (3 << 20));
  BOOST_TEST(memory_stats().in_use + memory_stats().cached <= in_use + (3 << 20));
  { const Tensor x = Tensor::empty({500000}); }
  const Tensor y = Tensor::empty({600000});
  BOOST_TEST(memory_stats().in_use + memory_stats().cached <= in_use + (3 << 20));
}

BOOST_AUTO_TEST_CASE(a_step_that_meets_the_limit_can_be_done_again_without_it) {
  Rng rng(1);
  const Tensor x = Tensor::randn({8, 32, 4000}, rng), weight = Tensor::randn({32, 32, 3}, rng);
  const Tensor before = conv(x, weight);
  const std::size_t in_use = memory_stats().in_use;
  const std::size_t output = [&] {
    const Tensor y = Tensor::empty(before.shape());
    return memory_stats().in_use - in_use;
  }();
  // Enough for the output, not for what the kernel needs beside it.
  {
    const MemoryLimit limit(in_use + output + 1000);
    BOOST_CHECK_THROW(conv(x, weight), MemoryError);
  }
  BOOST_TEST(memory_stats().in_use == in_use);
  BOOST_TEST(conv(x, weight).to_vector<float>() == before.to_vector<float>(),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tables_of_the_cells_of_an_axis_count_as_well) {
  constexpr std::size_t length = 1 << 18;
  const Tensor x = Tensor::ones({1, 1, length});
  const auto beside_output = [&](const std::function<Tensor()>& op) {
    reset_peak_memory();
    const Tensor y = op();
    return memory_stats().peak_in_use - memory_stats().in_use;
  };
  const auto by_two = [&](InterpolationMode mode) {
    return interpolate(x, {.scale_factor = 2, .mode = mode});
  };
  // A window has 32 bytes; the largest of each column, a float; nearest and padding, an index of 8 bytes;
  // linear, two indices of 4 and two floats.
  BOOST_TEST(beside_output([&] { return avg_pool1d(x, {.kernel_size = 2}); }) >= 16 * length);
  BOOST_TEST(beside_output([&] { return max_pool1d(x, {.kernel_size = 2}); }) >= 20 * length);
  BOOST_TEST(beside_output([&] { return pad(x, {1, 1}); }) >= 8 * length);
  BOOST_TEST(beside_output([&] { return by_two(InterpolationMode::nearest); }) >= 16 * length);
  BOOST_TEST(beside_output([&] { return by_two(InterpolationMode::linear); }) >= 32 * length);
}

BOOST_AUTO_TEST_CASE(a_thousand_random_lengths_leave_memory_flat) {
  Rng rng(1);
  Tensor weight = Tensor::randn({32, 8, 5}, rng).set_requires_grad();
  std::size_t largest_early = 0, largest_late = 0;
  for (int i = 0; i < 1000; ++i) {
    const Tensor x = Tensor::randn({4, 8, 100 + rng.below(5000)}, rng).set_requires_grad();
    sum(relu(conv(x, weight))).backward();
    const MemoryStats stats = memory_stats();
    std::size_t& largest = i < 500 ? largest_early : largest_late;
    largest = std::max(largest, stats.in_use + stats.cached);
  }
  BOOST_TEST(largest_late <= largest_early + largest_early / 20);
}

BOOST_AUTO_TEST_CASE(sizes_that_do_not_come_again_are_not_kept) {
  release_cached();
  std::size_t total = 0;
  for (std::int64_t megabytes = 8; megabytes < 200; ++megabytes) {
    const Tensor x = Tensor::empty({megabytes << 18});
    total += static_cast<std::size_t>(x.numel()) * sizeof(float);
  }
  BOOST_TEST(memory_stats().cached < total / 20);
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

BOOST_AUTO_TEST_CASE(large_blocks_of_one_size_do_not_meet_in_the_same_sets_of_the_caches) {
  constexpr std::size_t page = 4096, line = 64, least_distance = 512;
  release_cached();
  for (const std::int64_t size : {1 << 15, 1 << 20, 1 << 22}) {
    std::vector<Tensor> tensors;
    std::vector<std::size_t> starts;
    for (int i = 0; i < 4; ++i) {
      tensors.push_back(Tensor::zeros({size}));
      starts.push_back(reinterpret_cast<std::uintptr_t>(tensors.back().data<float>()) % page);
      BOOST_TEST(starts.back() % line == 0);
    }
    std::sort(starts.begin(), starts.end());
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::size_t next = i + 1 < starts.size() ? starts[i + 1] : starts[0] + page;
      BOOST_TEST(next - starts[i] >= least_distance);
    }
  }
  release_cached();
}

BOOST_AUTO_TEST_CASE(many_threads_may_allocate_at_once) {
  const std::size_t before = memory_stats().in_use;
  std::vector<std::thread> threads;
  threads.reserve(4);
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
