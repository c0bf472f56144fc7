// A net that tells sine, square and saw-tooth waves apart in noise, and a file that keeps what it has learnt.
#include <evenkeel/evenkeel.h>

#include <cmath>
#include <cstdio>

namespace ek = evenkeel;

struct Net : ek::nn::Module {
  explicit Net(ek::Rng& rng)
      : conv1(add("conv1", ek::nn::Conv1d({.in_channels = 1, .out_channels = 8, .kernel_size = 9}, rng))),
        conv2(add("conv2", ek::nn::Conv1d({.in_channels = 8, .out_channels = 16, .kernel_size = 9}, rng))),
        head(add("head", ek::nn::Linear({.in_features = 16, .out_features = 3}, rng))) {}

  ek::Tensor forward(const ek::Tensor& signal) override {  // [N, 1, 64] -> [N, 3]
    const ek::Tensor features = ek::relu(conv2(ek::relu(conv1(signal))));
    return head(ek::mean(features, 2));
  }

  ek::nn::Conv1d &conv1, &conv2;
  ek::nn::Linear& head;
};

struct Batch {
  ek::Tensor signals, labels;
};

Batch make_batch(std::int64_t count, ek::Rng& rng) {
  std::vector<float> signals;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    labels.push_back(rng.below(3));
    const double pitch = rng.uniform(2, 6), phase = rng.uniform();
    for (int t = 0; t < 64; ++t) {
      const double turn = std::fmod(pitch * t / 64 + phase, 1);
      const double waves[] = {std::sin(2 * M_PI * turn), turn < 0.5 ? 1.0 : -1.0, 2 * turn - 1};
      signals.push_back(static_cast<float>(waves[labels.back()] + 0.3 * rng.normal()));
    }
  }
  return {ek::Tensor::from(signals, {count, 1, 64}), ek::Tensor::from(labels, {count})};
}

int main() {
  ek::Rng rng(7);
  Net net(rng);
  ek::optim::AdamW adam(net.parameters(), {.lr = 3e-3});
  for (int step = 1; step <= 600; ++step) {
    const auto [signals, labels] = make_batch(64, rng);
    const ek::Tensor loss = ek::cross_entropy(net(signals), labels);
    loss.backward();
    adam.step();
    if (step % 100 == 0) std::printf("step %d: loss %.3f\n", step, loss.item());
  }
  const auto [signals, labels] = make_batch(1000, rng);
  const std::vector<std::int64_t> guesses = ek::argmax(net(signals), 1).to_vector<std::int64_t>();
  int right = 0;
  for (std::size_t i = 0; i < guesses.size(); ++i) right += guesses[i] == labels.data<std::int64_t>()[i];
  std::printf("%d of 1000 new signals told right\n", right);
  ek::io::save_weights("net.h5", net);
}
