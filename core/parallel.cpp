#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <atomic>
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
/// Looks for a new job before a worker goes to sleep: some 100 µs, more than the steps between two layers
/// take; fewer where threads share processors.
constexpr int kSpins = 2000, kCrowdedSpins = 300;
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
    share_out(count);
    function_ = f;
    context_ = c;
    control_ = _mm_getcsr();
    error_ = nullptr;
    ++generation_;
    generation_.notify_all();
    work(0);
    ++generation_;
    for (int spins = 0; inside_ != 0; ++spins) spins < spins_ ? _mm_pause() : std::this_thread::yield();
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
    spins_ = CPU_COUNT(&allowed_) > workers ? kSpins : kCrowdedSpins;
    const int seen = generation_;
    shares_ = std::vector<Share>(static_cast<std::size_t>(workers) + 1);
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

  /// An equal part of the pieces for each thread, neighbours together.
  void share_out(std::int64_t pieces) {
    const auto threads = static_cast<std::int64_t>(shares_.size());
    for (std::int64_t i = 0; i < threads; ++i) {
      shares_[i].next = pieces * i / threads;
      shares_[i].end = pieces * (i + 1) / threads;
    }
  }

  void serve(int seen, int thread) {
    for (;;) {
      for (int spins = 0; generation_ == seen && spins < spins_; ++spins) _mm_pause();
      generation_.wait(seen);
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

  /// First the thread's own pieces, then what others have left. The same part of one job after another finds
  /// in its cache what it left there.
  void work(int thread) {
    inside_piece = true;
    const std::size_t count = shares_.size();
    for (std::size_t i = 0; i < count; ++i) {
      Share& share = shares_[(static_cast<std::size_t>(thread) + i) % count];
      for (std::int64_t piece = share.next++; piece < share.end; piece = share.next++) run_piece(piece);
    }
    inside_piece = false;
  }

  void run_piece(std::int64_t piece) {
    try {
      function_(context_, piece);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      for (Share& share : shares_) share.next = share.end;
    }
  }

  /// Pieces of a thread that nobody has taken yet.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  std::mutex mutex_;
  std::vector<std::thread> workers_;
  alignas(64) std::atomic<int> generation_{0};
  alignas(64) std::atomic<int> inside_{0};
  alignas(64) std::vector<Share> shares_;  ///< of each thread, the caller's first
  detail::PieceFunction function_ = nullptr;
  void* context_ = nullptr;
  unsigned control_ = 0;  ///< the caller's floating-point control: every piece rounds and flushes alike
  std::atomic<bool> stopping_{false};
  int spins_ = kCrowdedSpins;
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

void detail::parallel_pieces(std::int64_t pieces, PieceFunction function, void* context) {
  if (pieces <= 0) return;
  const FlushDenormals flush;
  if (pieces > 1 && !inside_piece && num_threads() > 1 && pool().run(pieces, function, context)) return;
  for (std::int64_t piece = 0; piece < pieces; ++piece) function(context, piece);
}

}  // namespace evenkeel
