// Subnormal numbers cost a processor a hundredfold, so none may reach an operation. A clock would tell that
// with noise, and an instruction count not at all: it is the same instruction that takes longer. So the
// processor itself is asked to trap on each subnormal operand, on every thread, with flushing on (never) and
// off (to see that the trap works and that the numbers would be subnormal). That results are flushed too is
// seen by their bits. The times of a step, in one run, are printed.

#include "support/function_cases.h"
#include "support/layer_cases.h"
#include "support/training_cases.h"

#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/core/ops/loss.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/optim/clip.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <limits>
#include <thread>

#include <immintrin.h>
#include <pthread.h>
#include <ucontext.h>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

constexpr int kThreads = 2;
constexpr float kSmallest = std::numeric_limits<float>::min();

/// While it lives, subnormal operands trap: on this thread, and on the workers, who take over the control
/// register of whoever gives them work. A thread that met one goes on without.
class SubnormalTrap {
 public:
  SubnormalTrap() : threads_(num_threads()) {
    set_num_threads(kThreads);
    caller = pthread_self();
    by_caller = by_workers = 0;
    struct sigaction action {};
    action.sa_sigaction = &on_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGFPE, &action, &before_);
    _mm_setcsr(_mm_getcsr() & ~kMask);
  }
  ~SubnormalTrap() {
    _mm_setcsr(_mm_getcsr() | kMask);
    sigaction(SIGFPE, &before_, nullptr);
    set_num_threads(threads_);
  }
  SubnormalTrap(const SubnormalTrap&) = delete;
  SubnormalTrap& operator=(const SubnormalTrap&) = delete;

  static inline std::atomic<int> by_caller{0}, by_workers{0};
  /// Whether one was met. Functions under test stop then: what they compute on takes a hundredfold.
  static bool met() { return by_caller + by_workers > 0; }

 private:
  static constexpr unsigned kMask = 1u << 8;  ///< of the exception "denormal operand"
  static void on_trap(int, siginfo_t*, void* context) {
    ++(pthread_equal(pthread_self(), caller) != 0 ? by_caller : by_workers);
    static_cast<ucontext_t*>(context)->uc_mcontext.fpregs->mxcsr |= kMask;
  }

  static inline pthread_t caller{};
  struct sigaction before_ {};
  int threads_;
};

/// Whether `function` meets a subnormal operand.
template <class F>
bool meets_subnormals(F&& function) {
  const SubnormalTrap trap;
  function();
  return SubnormalTrap::met();
}

/// The same with flushing off.
template <class F>
bool meets_subnormals_unflushed(F&& function) {
  set_flush_denormals(false);
  const bool met = meets_subnormals(function);
  set_flush_denormals(true);
  return met;
}

bool holds_subnormals(const Tensor& t) {
  if (!t.defined() || t.dtype() != DType::f32) return false;
  const float* data = t.data<float>();
  return std::any_of(data, data + t.numel(),
                     [](float value) { return std::fpclassify(value) == FP_SUBNORMAL; });
}

/// Numbers of either sign from `smallest` on: with the smallest normal number, sums of them times weights are
/// subnormal.
Tensor small_numbers(const Shape& shape, Rng& rng, float smallest = kSmallest) {
  Tensor t = Tensor::uniform(shape, -1, 1, rng);
  float* data = t.mutable_data<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i)
    data[i] = std::copysign(smallest * (1 + std::abs(data[i])), data[i]);
  return t;
}

/// `shape` with one image, or fewer rows: without flushing each number costs a hundredfold.
Shape shortened(const Shape& shape) { return shape.rank() == 2 ? shape.with(0, 20) : shape.with(0, 1); }

/// A forward and backward of the layer.
struct LayerPass {
  LayerPass(const LayerCase& one, const Shape& input) {
    Rng rng(3);
    module = one.make(rng);
    LayerCase shorter = one;
    shorter.input = input;
    x = one.rows > 0 ? random_input(shorter, rng) : small_numbers(input, rng).set_requires_grad();
    gradient = small_numbers((*module)(x).shape(), rng);
  }
  void operator()() {
    y = (*module)(x);
    if (!SubnormalTrap::met()) y.backward(gradient);
  }

  std::unique_ptr<nn::Module> module;
  Tensor x, gradient, y;
};

/// A net trained on numbers about `size`, with an optimiser that starts anew.
struct Training {
  Training(const NetCase& one, const OptimiserCase& optimiser_case, float size) {
    Rng rng(5);
    net = one.make(rng);
    for (const auto& [name, parameter] : net->named_parameters())
      if (name.ends_with("bias")) Tensor(parameter.tensor()).fill_(0);
    optimiser = optimiser_case.make(net->named_parameters());
    x = small_numbers(one.input, rng, size);
    target = small_numbers((*net)(x).shape(), rng, size);
  }
  void step() {
    (mse_loss((*net)(x), target) + huber_loss((*net)(x), target) + l1_loss((*net)(x), target) * size_of_l1)
        .backward();
    for (const double type : {1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()})
      optim::clip_grad_norm_(net->parameters(), 1.0, type);
    optim::clip_grad_value_(net->parameters(), 1.0);
    optimiser->step();
  }

  static constexpr double size_of_l1 = 1e-36;
  std::unique_ptr<nn::Module> net;
  std::unique_ptr<optim::Optimizer> optimiser;
  Tensor x, target;
};

/// Steps of an optimiser on one layer: first gradients about `size`, then none, while averages decay.
struct Steps {
  Steps(const OptimiserCase& one, float size)
      : rng(5),
        layer({.in_features = 400, .out_features = 300}, rng),
        optimiser(one.make(layer.named_parameters())) {
    for (const nn::Parameter& parameter : layer.parameters()) {
      Tensor(parameter.tensor()).copy_(small_numbers(parameter.tensor().shape(), rng));
      gradients.push_back(small_numbers(parameter.tensor().shape(), rng, size));
    }
  }
  void operator()() {
    for (int step = 0; step < 60 && !SubnormalTrap::met(); ++step) {
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        if (step == 5) gradients[i].fill_(0);
        Tensor(layer.parameters()[i].tensor()).set_grad(gradients[i]);
      }
      optimiser->step();
    }
  }

  Rng rng;
  nn::Linear layer;
  std::unique_ptr<optim::Optimizer> optimiser;
  std::vector<Tensor> gradients;
};

/// Of the quickest of four steps.
double milliseconds_a_step(float size) {
  Training training(wide_net(), optimiser_cases()[6], size);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 4; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    training.step();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count());
  }
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(denormals_test)

BOOST_AUTO_TEST_CASE(the_trap_sees_every_thread) {
  const auto count = [] {
    const SubnormalTrap trap;
    std::atomic<int> arrived{0};
    detail::parallel_for(kThreads, [&](std::int64_t) {
      for (++arrived; arrived < kThreads;) std::this_thread::yield();
      volatile float subnormal = std::bit_cast<float>(1u);
      volatile float twice = subnormal * 2;
      (void)twice;
    });
    return std::pair<int, int>(SubnormalTrap::by_caller, SubnormalTrap::by_workers);
  };
  BOOST_TEST((count() == std::pair(0, 0)));
  set_flush_denormals(false);
  BOOST_TEST((count() == std::pair(1, kThreads - 1)));
  set_flush_denormals(true);
}

BOOST_AUTO_TEST_CASE(no_layer_computes_with_subnormals) {
  int layers = 0, tried = 0, without_flushing = 0;
  for (const LayerCase& one : layer_cases()) {
    LayerPass pass(one, one.input);
    BOOST_TEST(!meets_subnormals(pass), one.name);
    BOOST_TEST(!holds_subnormals(pass.y), one.name << ", output");
    if (one.rows == 0) BOOST_TEST(!holds_subnormals(pass.x.grad()), one.name << ", gradient of the input");
    for (const auto& [name, parameter] : pass.module->named_parameters())
      BOOST_TEST(!holds_subnormals(parameter.tensor().grad()), one.name << ", gradient of " << name);
    for (const nn::NamedBuffer& buffer : pass.module->named_buffers())
      BOOST_TEST(!holds_subnormals(buffer.tensor), one.name << ", " << buffer.name);
    if (layers++ % 6 != 0) continue;
    ++tried;
    LayerPass shorter(one, shortened(one.input));
    without_flushing += meets_subnormals_unflushed(shorter);
  }
  std::printf("layers that would meet subnormals: %d of %d tried\n", without_flushing, tried);
  BOOST_TEST(without_flushing > tried * 3 / 4);
}

BOOST_AUTO_TEST_CASE(no_function_computes_with_subnormals) {
  int functions = 0, tried = 0, without_flushing = 0;
  for (const FunctionCase& one : function_cases()) {
    if (one.inputs.empty()) continue;
    Rng rng(3);
    std::vector<Tensor> inputs;
    for (const Shape& shape : one.inputs) {
      Tensor values = small_numbers(shape, rng);
      if (one.is_positive) values = Tensor::full(shape, 2 * kSmallest);
      inputs.push_back(values.set_requires_grad());
    }
    Tensor y = one.function(inputs);
    const Tensor gradient = small_numbers(y.shape(), rng);
    const auto pass = [&] {
      y = one.function(inputs);
      if (y.requires_grad() && !SubnormalTrap::met()) y.backward(gradient);
    };
    BOOST_TEST(!meets_subnormals(pass), one.name);
    BOOST_TEST(!holds_subnormals(y), one.name << ", value");
    for (const Tensor& x : inputs) BOOST_TEST(!holds_subnormals(x.grad()), one.name << ", gradient");
    if (functions++ % 6 != 0) continue;
    ++tried;
    without_flushing += meets_subnormals_unflushed(pass);
  }
  std::printf("functions that would meet subnormals: %d of %d tried\n", without_flushing, tried);
  BOOST_TEST(without_flushing > tried / 2);
}

BOOST_AUTO_TEST_CASE(no_optimiser_computes_with_subnormals) {
  // Gradients whose own averages decay to subnormals, and some whose squares do.
  for (const float size : {1e-37f, 1e-18f})
    for (const OptimiserCase& one : optimiser_cases()) {
      Steps steps(one, size);
      BOOST_TEST(!meets_subnormals(steps), one.name);
      for (const nn::Parameter& parameter : steps.layer.parameters())
        BOOST_TEST(!holds_subnormals(parameter), one.name << ", parameter");
      for (const auto& [name, tensor] : steps.optimiser->state())
        BOOST_TEST(!holds_subnormals(tensor), one.name << ", " << name);
      Steps unflushed(one, size);
      if (size < 1e-30f) BOOST_TEST(meets_subnormals_unflushed(unflushed), one.name << " would meet none");
    }
}

BOOST_AUTO_TEST_CASE(no_training_step_computes_with_subnormals) {
  const OptimiserCase adamw = optimiser_cases()[6];
  for (const NetCase& net : {small_net(), wide_net()})
    for (const float size : {kSmallest, 1e-36f, 1e-30f, 1e-19f, 1.0f}) {
      const auto three_steps = [&](Training& training) {
        return [&] {
          for (int i = 0; i < 3 && !SubnormalTrap::met(); ++i) training.step();
        };
      };
      Training training(net, adamw, size), unflushed(net, adamw, size);
      BOOST_TEST(!meets_subnormals(three_steps(training)), net.name << ", numbers about " << size);
      if (size < 1e-30f)
        BOOST_TEST(meets_subnormals_unflushed(three_steps(unflushed)),
                   net.name << ", numbers about " << size << " would meet none");
    }
  const double normal = milliseconds_a_step(1), flushed = milliseconds_a_step(1e-36f);
  set_flush_denormals(false);
  std::printf("a step: %.1f ms; of numbers about 1e-36: %.1f ms, without flushing %.1f ms\n", normal, flushed,
              milliseconds_a_step(1e-36f));
  set_flush_denormals(true);
}

BOOST_AUTO_TEST_SUITE_END()
