// What the graph costs: nanoseconds of processor time for each op of a chain on [4, 8] tensors, without a
// graph, recorded, and in the backward pass, each the best of many rounds; then a training step of a tiny
// net.
#include <evenkeel/core/autograd.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>

using namespace evenkeel;

namespace {

constexpr int kLength = 1000;
constexpr int kRounds = 200;

double nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void measure(const char* name, const std::function<Tensor(const Tensor&)>& op) {
  Rng rng(1);
  Tensor x = Tensor::randn({4, 8}, rng).set_requires_grad();
  const Tensor seed = Tensor::ones({4, 8});
  double plain = 1e30, recorded = 1e30, backward = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    {
      const NoGradScope no_grad;
      Tensor y = x;
      const double start = nanoseconds();
      for (int i = 0; i < kLength; ++i) y = op(y);
      plain = std::min(plain, nanoseconds() - start);
    }
    Tensor y = x;
    const double start = nanoseconds();
    for (int i = 0; i < kLength; ++i) y = op(y);
    const double middle = nanoseconds();
    y.backward(seed);
    backward = std::min(backward, nanoseconds() - middle);
    recorded = std::min(recorded, middle - start);
  }
  std::printf("%-22s %8.0f %10.0f %10.0f\n", name, plain / kLength, recorded / kLength, backward / kLength);
}

void measure_net() {
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 8, .out_features = 16}, rng), nn::ReLU(),
                     nn::Linear({.in_features = 16, .out_features = 4}, rng));
  const Tensor x = Tensor::randn({4, 8}, rng), labels = Tensor::zeros({4}, DType::i64);
  double best = 1e30;
  for (int round = 0; round < 20 * kRounds; ++round) {
    const double start = nanoseconds();
    cross_entropy(net(x), labels).backward();
    net.zero_grad();
    best = std::min(best, nanoseconds() - start);
  }
  std::printf("tiny net, 4 ops, forward and backward: %.1f us\n", best / 1000);
}

}  // namespace

int main() {
  set_num_threads(1);
  std::printf("%-22s %8s %10s %10s   (ns an op)\n", "f32[4, 8]", "no graph", "recorded", "backward");
  Rng rng(2);
  Tensor other = Tensor::uniform({4, 8}, 0.999, 1.001, rng);  // a product of many stays a normal number
  measure("x + constant", [](const Tensor& x) { return x + 0.5; });
  measure("x + tensor", [&](const Tensor& x) { return x + other; });
  measure("x * tensor", [&](const Tensor& x) { return x * other; });
  measure("x + x", [](const Tensor& x) { return x + x; });
  measure("relu", [](const Tensor& x) { return relu(x); });
  measure("sigmoid", [](const Tensor& x) { return sigmoid(x); });
  measure("reshape", [](const Tensor& x) { return reshape(x, x.shape()); });
  other.set_requires_grad();
  measure("x * parameter", [&](const Tensor& x) { return x * other; });
  measure_net();
}
