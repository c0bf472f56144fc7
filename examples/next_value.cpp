// A net that learns while its program runs: from the last eight values of a chaotic signal it predicts the
// next one, and learns from each value that arrives. It reads and writes no file, so it needs no HDF5, and
// `cmake --preset static && cmake --build --preset static` makes a small program of it that depends on
// nothing.
//
//   next_value [STEPS]     default 2000

#include <evenkeel/core/build_info.h>
#include <evenkeel/evenkeel.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>

namespace ek = evenkeel;

constexpr std::int64_t kWindow = 8, kBatch = 64;

/// Hénon's map, a signal that no linear filter predicts.
struct Signal {
  double now = 0.1, before = 0;
  double next() {
    const double value = 1 - 1.4 * now * now + 0.3 * before;
    before = now;
    return now = value;
  }
};

struct Net : ek::nn::Module {
  explicit Net(ek::Rng& rng)
      : conv1(add("conv1", ek::nn::Conv1d({.in_channels = 1, .out_channels = 16, .kernel_size = 3}, rng))),
        conv2(add("conv2", ek::nn::Conv1d({.in_channels = 16, .out_channels = 16, .kernel_size = 3}, rng))),
        head(add("head", ek::nn::Linear({.in_features = 16 * (kWindow - 4), .out_features = 1}, rng))) {}

  ek::Tensor forward(const ek::Tensor& windows) override {  // [N, 1, 8] -> [N, 1]
    return head(ek::flatten(ek::relu(conv2(ek::relu(conv1(windows)))), 1));
  }

  ek::nn::Conv1d &conv1, &conv2;
  ek::nn::Linear& head;
};

int main(int argc, char** argv) {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 2000;
  std::printf("%s\n", ek::build_info().c_str());
  ek::Rng rng(1);
  Net net(rng);
  ek::optim::AdamW adam(net.parameters(), {.lr = 2e-3});
  Signal signal;
  std::deque<float> last(kWindow);
  for (float& value : last) value = static_cast<float>(signal.next());

  double net_squares = 0, same_squares = 0;
  for (int step = 1; step <= steps; ++step) {
    std::vector<float> windows, nexts;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      windows.insert(windows.end(), last.begin(), last.end());
      nexts.push_back(static_cast<float>(signal.next()));
      same_squares += std::pow(nexts.back() - last.back(), 2) / kBatch;
      last.pop_front();
      last.push_back(nexts.back());
    }
    const ek::Tensor guesses = net(ek::Tensor::from(windows, {kBatch, 1, kWindow}));
    const ek::Tensor loss = ek::mse_loss(guesses, ek::Tensor::from(nexts, {kBatch, 1}));
    loss.backward();
    adam.step();
    net_squares += loss.item();
    if (step % 200 != 0) continue;
    std::printf("values %6ld: error of the net %.4f, of \"as the last one\" %.4f\n", long(step * kBatch),
                std::sqrt(net_squares / 200), std::sqrt(same_squares / 200));
    net_squares = same_squares = 0;
  }
}
