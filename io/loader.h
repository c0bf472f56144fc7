#pragma once

#include <evenkeel/core/random.h>
#include <evenkeel/io/dataset.h>
#include <evenkeel/optim/state.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace evenkeel::io {

/// Changes a batch before it is handed out: augmentation. The random stream depends on the loader's seed, the
/// epoch and the batch's number alone. Runs on the loader's thread, without a graph.
using BatchTransform = std::function<Batch(Batch batch, Rng& rng)>;

struct DataLoaderOptions {
  std::int64_t batch_size = 1;
  bool shuffle = false;       ///< another order in every epoch
  std::uint64_t seed = 0;     ///< of the orders and of the transform's random stream
  bool drop_last = false;     ///< leave out the last batch of an epoch if it is smaller
  std::int64_t prefetch = 2;  ///< batches that a thread makes ahead; 0: none, and no thread
  BatchTransform transform = {};
};

/// Cuts a data set into batches, made ahead on a thread:
///
///     for (auto [inputs, targets] : loader) …
///
/// runs to the end of the epoch from where the loader stands: from the first batch, or after a break or
/// load_state() from the next one. What is handed out depends on the options and the position only, not on
/// the thread. Errors of the data set or the transform come out of the loop.
class DataLoader {
 public:
  /// ConfigError for options out of range, or if an epoch has no batch.
  DataLoader(std::shared_ptr<const Dataset> dataset, const DataLoaderOptions& options);
  template <std::derived_from<Dataset> D>
  DataLoader(D dataset, const DataLoaderOptions& options)
      : DataLoader(std::make_shared<const D>(std::move(dataset)), options) {}
  ~DataLoader();
  DataLoader(const DataLoader&) = delete;
  DataLoader& operator=(const DataLoader&) = delete;

  /// Batches of a whole epoch.
  std::int64_t size() const;
  /// Epochs that were run to their end.
  std::int64_t epoch() const { return epoch_; }
  /// Batches of this epoch that were handed out.
  std::int64_t position() const { return position_; }

  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Batch;
    explicit Iterator(DataLoader& loader) : loader_(&loader), batch_(loader.next()) {}
    const Batch& operator*() const { return *batch_; }
    Iterator& operator++() {
      batch_ = loader_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !batch_; }

   private:
    DataLoader* loader_;
    std::optional<Batch> batch_;
  };
  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

  /// The position, and what it is a position in. A loader that gets it goes on with the batch after the last
  /// one handed out.
  optim::StateDict state() const;
  /// ConfigError, before anything is changed, if seed, batch size, shuffling, last-batch rule or number of
  /// samples are not the same.
  void load_state(const optim::StateDict& state);

 private:
  struct Recipe;
  class Worker;
  /// None at the end of an epoch; the next call starts another.
  std::optional<Batch> next();

  std::shared_ptr<const Recipe> recipe_;
  std::int64_t epoch_ = 0, position_ = 0;
  std::unique_ptr<Worker> worker_;  // works for the epoch that is under way
};

}  // namespace evenkeel::io
