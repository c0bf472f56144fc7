#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/io/loader.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace ek = evenkeel;
using ek::DType;
using ek::Tensor;
using ek::io::Batch;
using ek::io::DataLoader;
using ek::io::DataLoaderOptions;
using ek::io::TensorDataset;

namespace {

using Numbers = std::vector<std::int64_t>;

/// Samples [i, 10·i] with target i.
TensorDataset counting(std::int64_t samples) {
  std::vector<float> inputs;
  Numbers targets;
  for (std::int64_t i = 0; i < samples; ++i) {
    inputs.insert(inputs.end(), {static_cast<float>(i), static_cast<float>(10 * i)});
    targets.push_back(i);
  }
  return TensorDataset(Tensor::from(inputs, {samples, 2}), Tensor::from(targets, {samples}));
}

/// Targets of the rest of the loader's epoch, a vector a batch.
std::vector<Numbers> rest_of_epoch(DataLoader& loader) {
  std::vector<Numbers> batches;
  for (auto [inputs, targets] : loader) batches.push_back(targets.to_vector<std::int64_t>());
  return batches;
}

Numbers flat(const std::vector<Numbers>& batches) {
  Numbers all;
  for (const Numbers& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

/// A data set that fails at one sample.
struct Faulty : ek::io::Dataset {
  explicit Faulty(std::int64_t bad_sample) : bad(bad_sample) {}
  std::int64_t size() const override { return 20; }
  Batch get(std::span<const std::int64_t> indices) const override {
    if (std::find(indices.begin(), indices.end(), bad) != indices.end())
      throw ek::FileError("[faulty] expected a sample, got none");
    return {Tensor::zeros({static_cast<std::int64_t>(indices.size())}), {}};
  }
  std::int64_t bad;
};

/// Counts the batches that were asked for.
struct Counting : ek::io::Dataset {
  std::int64_t size() const override { return 1000; }
  Batch get(std::span<const std::int64_t>) const override {
    ++*asked;
    return {Tensor::zeros({1}), {}};
  }
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
};

Batch add_noise(Batch batch, ek::Rng& rng) {
  return {batch.inputs + Tensor::randn(batch.inputs.shape(), rng), batch.targets};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loader_test)

BOOST_AUTO_TEST_CASE(batches_come_in_order_with_the_rest_at_the_end) {
  for (const std::int64_t prefetch : {0, 1, 2, 9}) {
    DataLoader loader(counting(7), {.batch_size = 3, .prefetch = prefetch});
    BOOST_TEST(loader.size() == 3);
    for (int epoch = 0; epoch < 3; ++epoch) {
      BOOST_TEST(loader.epoch() == epoch);
      BOOST_TEST((rest_of_epoch(loader) == std::vector<Numbers>{{0, 1, 2}, {3, 4, 5}, {6}}));
    }
    DataLoader dropping(counting(7), {.batch_size = 3, .drop_last = true, .prefetch = prefetch});
    BOOST_TEST(dropping.size() == 2);
    BOOST_TEST((rest_of_epoch(dropping) == std::vector<Numbers>{{0, 1, 2}, {3, 4, 5}}));
  }
  DataLoader even(counting(6), {.batch_size = 3});
  BOOST_TEST((rest_of_epoch(even) == std::vector<Numbers>{{0, 1, 2}, {3, 4, 5}}));
}

BOOST_AUTO_TEST_CASE(inputs_and_targets_stay_together) {
  DataLoader loader(counting(10), {.batch_size = 4, .shuffle = true, .seed = 3});
  for (auto [inputs, targets] : loader) {
    BOOST_TEST((inputs.shape() == ek::Shape{targets.dim(0), 2}));
    for (std::int64_t i = 0; i < targets.dim(0); ++i) {
      const auto target = static_cast<float>(targets.data<std::int64_t>()[i]);
      BOOST_TEST(inputs.data<float>()[2 * i] == target);
      BOOST_TEST(inputs.data<float>()[2 * i + 1] == 10 * target);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_epoch_has_an_order_of_its_own_that_the_seed_decides) {
  const DataLoaderOptions options{.batch_size = 8, .shuffle = true, .seed = 5};
  DataLoader loader(counting(50), options), same(counting(50), options);
  DataLoader unbuffered(counting(50), {.batch_size = 8, .shuffle = true, .seed = 5, .prefetch = 0});
  DataLoader other(counting(50), {.batch_size = 8, .shuffle = true, .seed = 6});
  std::set<Numbers> orders;
  Numbers all(50);
  std::iota(all.begin(), all.end(), 0);
  for (int epoch = 0; epoch < 4; ++epoch) {
    const Numbers order = flat(rest_of_epoch(loader));
    BOOST_TEST(order == flat(rest_of_epoch(same)));
    BOOST_TEST(order == flat(rest_of_epoch(unbuffered)));
    orders.insert(order);
    orders.insert(flat(rest_of_epoch(other)));
    Numbers sorted = order;
    std::sort(sorted.begin(), sorted.end());
    BOOST_TEST(sorted == all);
  }
  BOOST_TEST(orders.size() == 8u);
}

BOOST_AUTO_TEST_CASE(a_loader_goes_on_where_another_stood_to_the_bit) {
  for (const std::int64_t prefetch : {0, 3}) {
    const DataLoaderOptions options{
        .batch_size = 4, .shuffle = true, .seed = 9, .prefetch = prefetch, .transform = add_noise};
    const auto all_values = [](DataLoader& loader) {
      std::vector<std::vector<float>> values;
      for (auto [inputs, targets] : loader) values.push_back(inputs.to_vector<float>());
      return values;
    };
    DataLoader whole(counting(21), options);
    std::vector<std::vector<float>> expected = all_values(whole);
    for (const auto& values : all_values(whole)) expected.push_back(values);
    BOOST_REQUIRE(expected.size() == 12u);
    for (std::size_t cut = 0; cut <= expected.size(); ++cut) {
      DataLoader first(counting(21), options), second(counting(21), options);
      std::vector<std::vector<float>> got;
      ek::optim::StateDict state = first.state();
      while (got.size() < cut) {
        for (auto [inputs, targets] : first) {
          got.push_back(inputs.to_vector<float>());
          state = first.state();
          if (got.size() == cut) break;
        }
      }
      second.load_state(state);
      while (second.epoch() < 2)
        for (const auto& values : all_values(second)) got.push_back(values);
      BOOST_TEST((got == expected), "cut after batch " << cut);
    }
  }
}

BOOST_AUTO_TEST_CASE(after_a_break_the_epoch_goes_on) {
  DataLoader loader(counting(7), {.batch_size = 3});
  for (auto [inputs, targets] : loader) {
    BOOST_TEST(loader.position() == 1);
    break;
  }
  BOOST_TEST(loader.epoch() == 0);
  BOOST_TEST((rest_of_epoch(loader) == std::vector<Numbers>{{3, 4, 5}, {6}}));
  BOOST_TEST(loader.epoch() == 1);
  BOOST_TEST(loader.position() == 0);
}

BOOST_AUTO_TEST_CASE(a_state_of_another_loader_is_refused) {
  DataLoader loader(counting(9), {.batch_size = 3, .seed = 1});
  for (const DataLoaderOptions& options : {DataLoaderOptions{.batch_size = 4, .seed = 1},
                                           {.batch_size = 3, .seed = 2},
                                           {.batch_size = 3, .shuffle = true, .seed = 1},
                                           {.batch_size = 3, .seed = 1, .drop_last = true}})
    BOOST_CHECK_THROW(loader.load_state(DataLoader(counting(9), options).state()), ek::ConfigError);
  BOOST_CHECK_THROW(loader.load_state(DataLoader(counting(8), {.batch_size = 3, .seed = 1}).state()),
                    ek::ConfigError);
  ek::optim::StateDict state = loader.state();
  state["position"] = Tensor::full({}, 4, DType::i64);
  BOOST_CHECK_THROW(loader.load_state(state), ek::ConfigError);
  state.erase("position");
  BOOST_CHECK_THROW(loader.load_state(state), ek::ConfigError);
}

BOOST_AUTO_TEST_CASE(errors_come_out_of_the_loop_after_the_batches_before_them) {
  for (const std::int64_t prefetch : {0, 1, 4}) {
    DataLoader loader(Faulty(13), {.batch_size = 4, .prefetch = prefetch});
    const auto count_batches = [&] {
      int batches = 0;
      try {
        for (auto [inputs, targets] : loader) {
          BOOST_TEST(!targets.defined());
          ++batches;
        }
      } catch (const ek::FileError&) {
        return batches;
      }
      return -1;
    };
    BOOST_TEST(count_batches() == 3);
    BOOST_TEST(loader.position() == 3);
    BOOST_TEST(count_batches() == 0);  // and again: the loader has not passed it over
  }
  DataLoader loader(counting(4),
                    {.transform = [](Batch, ek::Rng&) -> Batch { throw std::logic_error("no"); }});
  BOOST_CHECK_THROW(rest_of_epoch(loader), std::logic_error);
}

BOOST_AUTO_TEST_CASE(no_more_batches_are_made_ahead_than_asked_for) {
  for (const std::int64_t prefetch : {0, 1, 3}) {
    const Counting dataset;
    DataLoader loader(dataset, {.batch_size = 10, .prefetch = prefetch});
    int taken = 0;
    for (auto [inputs, targets] : loader) {
      ++taken;
      BOOST_TEST(*dataset.asked <= taken + prefetch);
    }
    BOOST_TEST(taken == 100);
    BOOST_TEST(*dataset.asked == 100);
  }
}

BOOST_AUTO_TEST_CASE(loaders_can_be_left_at_any_moment) {
  for (int i = 0; i < 200; ++i) {
    DataLoader loader(counting(40), {.batch_size = 2, .shuffle = true, .prefetch = 1 + i % 5});
    for (auto [inputs, targets] : loader)
      if (loader.position() > i % 7) break;
    BOOST_TEST(loader.position() == 1 + i % 7);
  }
}

BOOST_AUTO_TEST_CASE(wrong_options_are_refused) {
  BOOST_CHECK_THROW(DataLoader(counting(4), {.batch_size = 0}), ek::ConfigError);
  BOOST_CHECK_THROW(DataLoader(counting(4), {.prefetch = -1}), ek::ConfigError);
  BOOST_CHECK_THROW(DataLoader(counting(0), {.batch_size = 2}), ek::ConfigError);
  BOOST_CHECK_THROW(DataLoader(counting(3), {.batch_size = 4, .drop_last = true}), ek::ConfigError);
  BOOST_CHECK_THROW(TensorDataset(Tensor::zeros({3, 2}), Tensor::zeros({4})), ek::ShapeError);
  BOOST_CHECK_THROW(TensorDataset(Tensor::zeros({})), ek::ShapeError);
  const std::vector<std::int64_t> outside = {0, 4};
  BOOST_CHECK_THROW(counting(4).get(outside), ek::ValueError);
}

BOOST_AUTO_TEST_SUITE_END()
