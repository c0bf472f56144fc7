// A project outside the tree: trains two numbers with the installed library.
#include <evenkeel/evenkeel.h>

#include <cstdio>

namespace ek = evenkeel;

int main() {
  ek::Rng rng(1);
  ek::nn::Linear line({.in_features = 1, .out_features = 1}, rng);
  ek::optim::Adam adam(line.parameters(), {.lr = 0.05});
  const ek::Tensor x = ek::Tensor::randn({64, 1}, rng), y = 3 * x + 1;
  for (int step = 0; step < 500; ++step) {
    ek::mse_loss(line(x), y).backward();
    adam.step();
  }
  const double slope = line.weight().tensor().item(), offset = line.bias().tensor().item();
  std::printf("y = %.3f x + %.3f\n", slope, offset);
  return slope > 2.99 && slope < 3.01 && offset > 0.99 && offset < 1.01 ? 0 : 1;
}
