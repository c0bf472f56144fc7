#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/io/loader.h>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

namespace evenkeel::io {

namespace {

/// Stream number `number` of those that belong to `key`.
Rng stream(std::uint64_t key, std::int64_t number) {
  Rng rng(key);
  rng.set_state({key, static_cast<std::uint64_t>(number)});
  return rng.fork();
}

}  // namespace

/// How batches are made: nothing here changes while a loader lives.
struct DataLoader::Recipe {
  std::shared_ptr<const Dataset> dataset;
  DataLoaderOptions options;
  std::int64_t samples;

  std::int64_t batches() const {
    return (samples + (options.drop_last ? 0 : options.batch_size - 1)) / options.batch_size;
  }
  std::uint64_t epoch_key(std::int64_t epoch) const { return stream(options.seed, epoch).state().key; }
  std::vector<std::int64_t> order(std::int64_t epoch) const {
    if (options.shuffle) return stream(epoch_key(epoch), 0).permutation(samples);
    std::vector<std::int64_t> order(static_cast<std::size_t>(samples));
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
  Batch make(std::span<const std::int64_t> order, std::int64_t epoch, std::int64_t number) const {
    const NoGradScope no_grad;
    const std::int64_t begin = number * options.batch_size;
    const std::int64_t count = std::min(options.batch_size, samples - begin);
    Batch batch =
        dataset->get(order.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count)));
    if (!options.transform) return batch;
    Rng rng = stream(epoch_key(epoch), number + 1);
    return options.transform(std::move(batch), rng);
  }
};

/// Makes the batches of one epoch, in order, from a given one on; ahead, if there is a thread.
class DataLoader::Worker {
 public:
  Worker(std::shared_ptr<const Recipe> recipe, std::int64_t epoch, std::int64_t first)
      : recipe_(std::move(recipe)), order_(recipe_->order(epoch)), epoch_(epoch), next_(first) {
    if (recipe_->options.prefetch > 0)
      thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  Batch take() {
    if (!thread_.joinable()) return recipe_->make(order_, epoch_, next_++);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || error_; });
    if (ready_.empty()) std::rethrow_exception(error_);
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return batch;
  }

 private:
  void run(const std::stop_token& stop) {
    const auto limit = static_cast<std::size_t>(recipe_->options.prefetch);
    try {
      for (; next_ < recipe_->batches(); ++next_) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait(lock, stop, [&] { return ready_.size() < limit; })) return;
        lock.unlock();
        Batch batch = recipe_->make(order_, epoch_, next_);
        lock.lock();
        ready_.push_back(std::move(batch));
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      changed_.notify_all();
    }
  }

  std::shared_ptr<const Recipe> recipe_;
  std::vector<std::int64_t> order_;
  std::int64_t epoch_, next_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> ready_;
  std::exception_ptr error_;
  std::jthread thread_;  // the last member: it is stopped and joined first
};

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, const DataLoaderOptions& options) {
  const std::int64_t samples = dataset->size();
  recipe_ = std::make_shared<const Recipe>(Recipe{std::move(dataset), options, samples});
  if (options.batch_size < 1 || options.prefetch < 0)
    throw ConfigError(fmt::format("[loader] expected batch_size ≥ 1 and prefetch ≥ 0, got {} and {}",
                                  options.batch_size, options.prefetch));
  if (recipe_->batches() == 0)
    throw ConfigError(fmt::format("[loader] expected at least one batch, got {} samples for batches of {}{}",
                                  samples, options.batch_size, options.drop_last ? " with drop_last" : ""));
}

DataLoader::~DataLoader() = default;

std::int64_t DataLoader::size() const { return recipe_->batches(); }

std::optional<Batch> DataLoader::next() {
  if (position_ == size()) {
    worker_.reset();
    ++epoch_;
    position_ = 0;
    return {};
  }
  if (!worker_) worker_ = std::make_unique<Worker>(recipe_, epoch_, position_);
  try {
    Batch batch = worker_->take();
    ++position_;
    return batch;
  } catch (...) {
    worker_.reset();
    throw;
  }
}

optim::StateDict DataLoader::state() const {
  const DataLoaderOptions& options = recipe_->options;
  optim::StateDict state;
  optim::detail::put(state, "epoch", epoch_);
  optim::detail::put(state, "position", position_);
  optim::detail::put(state, "seed", static_cast<std::int64_t>(options.seed));
  optim::detail::put(state, "batch_size", options.batch_size);
  optim::detail::put(state, "shuffle", std::int64_t{options.shuffle});
  optim::detail::put(state, "drop_last", std::int64_t{options.drop_last});
  optim::detail::put(state, "samples", recipe_->samples);
  return state;
}

void DataLoader::load_state(const optim::StateDict& state) {
  for (const auto& [name, value] : this->state()) {
    const std::int64_t saved = optim::detail::get_count(state, name);
    if (name != "epoch" && name != "position" && saved != *value.data<std::int64_t>())
      throw ConfigError(fmt::format("[loader] expected a state with {} = {}, got {}", name,
                                    *value.data<std::int64_t>(), saved));
  }
  const std::int64_t epoch = optim::detail::get_count(state, "epoch");
  const std::int64_t position = optim::detail::get_count(state, "position");
  if (epoch < 0 || position < 0 || position > size())
    throw ConfigError(
        fmt::format("[loader] expected a position in an epoch of {} batches, got {} in epoch {}", size(),
                    position, epoch));
  worker_.reset();
  epoch_ = epoch;
  position_ = position;
}

}  // namespace evenkeel::io
