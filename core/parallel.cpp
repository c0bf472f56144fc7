#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <immintrin.h>
#include <sched.h>

namespace evenkeel {

namespace {

constexpr int kMaxThreads = 256;
using Clock = std::chrono::steady_clock;
/// How long a worker looks for a new job before it goes to sleep: longer than the steps between two layers
/// take; shorter where threads share processors.
constexpr std::chrono::microseconds kLook{100}, kCrowdedLook{15};
constexpr unsigned kFlushBits = 0x8040;  ///< flush to zero, denormals are zero

thread_local bool inside_piece = false;
std::atomic<int> thread_count{static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))};
std::atomic<bool> flush_denormals{true};

/// Workers that join one job at a time. `generation` is odd while a job is open; a worker that counts itself
/// in `inside` and then still sees an odd number may take pieces, and the caller leaves when nobody is inside
/// any more. So a caller waits for workers that have started, never for one that is still to be woken.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): what threads write has cache lines of its own
class Pool {
 public:
  ~Pool() { stop(); }

  /// False when another thread's job has the workers.
  bool run(std::int64_t count, detail::PieceFunction f, void* c) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    start(thread_count - 1);
    keep_off(sched_getcpu());
    shares_.share_out(count);
    function_ = f;
    context_ = c;
    control_ = _mm_getcsr();
    error_ = nullptr;
    ++generation_;
    generation_.notify_all();
    work(0);
    ++generation_;
    if (!look_until([this] { return inside_ == 0; }))
      while (inside_ != 0) std::this_thread::yield();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

  void resize(int threads) {
    const std::lock_guard lock(mutex_);
    if (threads == thread_count) return;
    stop();
    thread_count = threads;
  }

 private:
  void start(int workers) {
    if (static_cast<int>(workers_.size()) == workers) return;
    stop();
    stopping_ = false;
    callers_cpu_ = -1;
    sched_getaffinity(0, sizeof allowed_, &allowed_);
    look_ = CPU_COUNT(&allowed_) > workers ? kLook : kCrowdedLook;
    const int seen = generation_;
    shares_ = detail::WorkShares(workers + 1);
    for (int i = 1; i <= workers; ++i) workers_.emplace_back([this, seen, i] { serve(seen, i); });
  }

  /// Takes the workers off the caller's processor where there are enough others. Left alone, the system wakes
  /// a worker beside its caller, and the two may share one processor for many jobs while another idles.
  void keep_off(int cpu) {
    if (cpu == callers_cpu_ || CPU_COUNT(&allowed_) < thread_count) return;
    callers_cpu_ = cpu;
    cpu_set_t others = allowed_;
    CPU_CLR(static_cast<unsigned>(cpu), &others);
    for (std::thread& worker : workers_)
      pthread_setaffinity_np(worker.native_handle(), sizeof others, &others);
  }

  void stop() {
    stopping_ = true;
    generation_ += 2;
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  /// Whether `done` comes true before it is time to sleep. Processors differ tenfold in what a pause takes.
  template <class Done>
  bool look_until(Done&& done) const {
    constexpr int kPauses = 16;
    const Clock::time_point end = Clock::now() + look_;
    do {
      for (int i = 0; i < kPauses; ++i, _mm_pause())
        if (done()) return true;
    } while (Clock::now() < end);
    return false;
  }

  void serve(int seen, int thread) {
    for (;;) {
      if (!look_until([&] { return generation_ != seen; })) generation_.wait(seen);
      seen = generation_;
      if (stopping_) return;
      ++inside_;
      if (generation_ % 2 != 0) {
        _mm_setcsr(control_);
        work(thread);
      }
      --inside_;
    }
  }

  void work(int thread) {
    inside_piece = true;
    for (std::int64_t piece = shares_.take(thread); piece >= 0; piece = shares_.take(thread))
      run_piece(piece);
    inside_piece = false;
  }

  void run_piece(std::int64_t piece) {
    try {
      function_(context_, piece);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      shares_.clear();
    }
  }

  std::mutex mutex_;
  std::vector<std::thread> workers_;
  alignas(64) std::atomic<int> generation_{0};
  alignas(64) std::atomic<int> inside_{0};
  alignas(64) detail::WorkShares shares_{1};  ///< a taker is a thread, the caller the first
  detail::PieceFunction function_ = nullptr;
  void* context_ = nullptr;
  unsigned control_ = 0;  ///< the caller's floating-point control: every piece rounds and flushes alike
  std::atomic<bool> stopping_{false};
  Clock::duration look_ = kCrowdedLook;
  int callers_cpu_ = -1;  ///< which the workers were taken off last
  std::mutex error_mutex_;
  std::exception_ptr error_;
  cpu_set_t allowed_{};  ///< the processors that whoever started the workers may use
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

int num_threads() { return thread_count.load(std::memory_order_relaxed); }

void set_num_threads(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    throw ConfigError("[set_num_threads] expected 1 to 256 threads, got " + std::to_string(threads));
  pool().resize(threads);
}

void set_flush_denormals(bool flush) { flush_denormals = flush; }

detail::FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
  if (flush_denormals.load(std::memory_order_relaxed) && (before_ & kFlushBits) != kFlushBits)
    _mm_setcsr(before_ | kFlushBits);
}

detail::FlushDenormals::~FlushDenormals() {
  if (_mm_getcsr() != before_) _mm_setcsr((_mm_getcsr() & ~kFlushBits) | (before_ & kFlushBits));
}

void detail::WorkShares::share_out(std::int64_t pieces) {
  const std::int64_t count = takers();
  for (std::int64_t i = 0; i < count; ++i) {
    Share& share = shares_[static_cast<std::size_t>(i)];
    share.next = pieces * i / count;
    share.end = pieces * (i + 1) / count;
  }
}

std::int64_t detail::WorkShares::take(int taker) {
  const auto count = static_cast<int>(shares_.size());
  for (int i = 0; i < count; ++i) {
    Share& share = shares_[static_cast<std::size_t>((taker + i) % count)];
    if (const std::int64_t piece = share.next++; piece < share.end) return piece;
  }
  return -1;
}

void detail::WorkShares::clear() {
  for (Share& share : shares_) share.next = share.end;
}

void detail::parallel_pieces(std::int64_t pieces, PieceFunction function, void* context) {
  if (pieces <= 0) return;
  const FlushDenormals flush;
  if (pieces > 1 && !inside_piece && num_threads() > 1 && pool().run(pieces, function, context)) return;
  for (std::int64_t piece = 0; piece < pieces; ++piece) function(context, piece);
}

}  // namespace evenkeel
