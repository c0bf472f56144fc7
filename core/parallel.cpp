#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define EIGEN_USE_THREADS
#include <unsupported/Eigen/CXX11/ThreadPool>

namespace evenkeel {

namespace {

constexpr int kMaxThreads = 256;
thread_local bool inside_piece = false;

struct Pool {
  std::mutex mutex;
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::shared_ptr<Eigen::ThreadPool> workers;

  std::shared_ptr<Eigen::ThreadPool> get() {
    const std::lock_guard lock(mutex);
    if (!workers) workers = std::make_shared<Eigen::ThreadPool>(threads - 1, /*allow_spinning=*/true);
    return workers;
  }
};

Pool& pool() {
  static Pool instance;
  return instance;
}

/// One parallel_pieces call: pieces are claimed one by one; the last helper to leave wakes the caller.
struct Job {
  Job(std::int64_t count, detail::PieceFunction f, void* c) : pieces(count), function(f), context(c) {}

  std::int64_t pieces;
  detail::PieceFunction function;
  void* context;
  std::atomic<std::int64_t> next{0};
  std::atomic<int> helpers{0};
  std::mutex mutex;
  std::condition_variable idle;
  std::exception_ptr error;

  void work() {
    inside_piece = true;
    for (std::int64_t piece = next++; piece < pieces; piece = next++) {
      try {
        function(context, piece);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next = pieces;
      }
    }
    inside_piece = false;
  }
};

}  // namespace

int num_threads() {
  const std::lock_guard lock(pool().mutex);
  return pool().threads;
}

void set_num_threads(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    throw ConfigError("[set_num_threads] expected 1 to 256 threads, got " + std::to_string(threads));
  const std::lock_guard lock(pool().mutex);
  if (threads == pool().threads) return;
  pool().threads = threads;
  pool().workers.reset();
}

void detail::parallel_pieces(std::int64_t pieces, PieceFunction function, void* context) {
  if (pieces <= 0) return;
  const int threads = inside_piece || pieces == 1 ? 1 : num_threads();
  if (threads == 1) {
    for (std::int64_t piece = 0; piece < pieces; ++piece) function(context, piece);
    return;
  }
  const auto workers = pool().get();
  Job job(pieces, function, context);
  const int helpers = static_cast<int>(std::min<std::int64_t>(threads, pieces)) - 1;
  job.helpers = helpers;
  for (int i = 0; i < helpers; ++i) {
    workers->Schedule([&job] {
      job.work();
      const std::lock_guard lock(job.mutex);
      if (--job.helpers == 0) job.idle.notify_one();
    });
  }
  job.work();
  std::unique_lock lock(job.mutex);
  job.idle.wait(lock, [&] { return job.helpers == 0; });
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace evenkeel
