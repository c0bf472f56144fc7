// Runs one hot path three times; bench/instructions/check counts the instructions of the last run under
// callgrind. They repeat where times do not, so a test can hold them.

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/optim/adam.h>

#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace evenkeel;
using Path = std::function<void()>;
using Leaves = std::vector<Tensor>;

Rng rng(1);
int chain_length = 100;

/// Forward and backward of `function` of leaves of these shapes.
Path train(const std::function<Tensor(const Leaves&)>& function, const std::vector<Shape>& shapes) {
  Leaves leaves;
  for (const Shape& shape : shapes) leaves.push_back(Tensor::randn(shape, rng).set_requires_grad());
  const Tensor seed = Tensor::ones(function(leaves).shape());
  return [=]() mutable {
    for (Tensor& tensor : leaves) tensor.zero_grad();
    function(leaves).backward(seed);
  };
}

Path train_conv(const Shape& x, const Shape& weight, const ConvParameters& parameters) {
  return train([=](const Leaves& v) { return conv(v[0], v[1], {}, parameters); }, {x, weight});
}

Path train_unary(Tensor (*op)(const Tensor&), const Shape& shape) {
  return train([=](const Leaves& v) { return op(v[0]); }, {shape});
}

Path adam() {
  auto layer = std::make_shared<nn::Linear>(nn::LinearOptions{.in_features = 256, .out_features = 256}, rng);
  auto optimizer = std::make_shared<optim::Adam>(layer->parameters(), optim::AdamOptions{.lr = 1e-3});
  const Tensor weight_gradient = Tensor::randn({256, 256}, rng), bias_gradient = Tensor::randn({256}, rng);
  return [=] {
    Tensor(layer->weight().tensor()).set_grad(weight_gradient.clone());
    Tensor(layer->bias().tensor()).set_grad(bias_gradient.clone());
    optimizer->step();
  };
}

Tensor chain(const Leaves& v) {
  Tensor x = v[0];
  for (int i = 0; i < chain_length; ++i) x = x * 1.01;
  return x;
}

/// Norm, activation, convolution: the modern layer's order.
Tensor modern(const Leaves& v) {
  return conv(prelu(instance_norm(v[0], {}, {}, v[1], v[2]), v[3]), v[4], {}, {.padding = 1});
}

Tensor batch_norm_2d(const Leaves& v) {
  Tensor mean = Tensor::zeros({32}), variance = Tensor::ones({32});
  return batch_norm(v[0], mean, variance, v[1], v[2]);
}

std::vector<std::pair<std::string, std::function<Path()>>> make_paths() {
  return {
      {"conv1d",
       [] {
         return train_conv({4, 32, 256}, {32, 32, 3}, {.padding = 1});
       }},
      {"conv1d_strided",
       [] {
         return train_conv({4, 16, 255}, {32, 16, 3}, {.stride = 2, .padding = 1});
       }},
      {"conv1d_first",
       [] {
         return train_conv({2, 1, 1024}, {32, 1, 7}, {.padding = 3});
       }},
      {"conv1d_grouped",
       [] {
         return train_conv({4, 32, 256}, {32, 8, 3}, {.padding = 1, .groups = 4});
       }},
      {"conv1d_depthwise",
       [] {
         return train_conv({4, 64, 256}, {64, 1, 7}, {.padding = 3, .groups = 64});
       }},
      {"conv1d_pointwise",
       [] {
         return train_conv({4, 64, 256}, {64, 64, 1}, {});
       }},
      {"conv2d",
       [] {
         return train_conv({2, 32, 16, 16}, {32, 32, 3, 3}, {.padding = 1});
       }},
      {"conv2d_depthwise",
       [] {
         return train_conv({2, 64, 16, 16}, {64, 1, 3, 3}, {.padding = 1, .groups = 64});
       }},
      {"conv3d",
       [] {
         return train_conv({1, 8, 8, 8, 8}, {8, 8, 3, 3, 3}, {.padding = 1});
       }},
      {"modern1d",
       [] {
         return train(modern, {{4, 16, 255}, {16}, {16}, {16}, {32, 16, 3}});
       }},
      {"batch_norm2d",
       [] {
         return train(batch_norm_2d, {{4, 32, 16, 16}, {32}, {32}});
       }},
      {"relu",
       [] {
         return train_unary(relu, {64, 256});
       }},
      {"gelu",
       [] {
         return train([](const Leaves& v) { return gelu(v[0]); }, {{64, 256}});
       }},
      {"tanh_of_products",
       [] {
         return train([](const Leaves& v) { return tanh(v[0] * v[1] + v[0]); }, {{64, 256}, {64, 256}});
       }},
      {"max_pool2d",
       [] {
         return train([](const Leaves& v) { return max_pool2d(v[0], {.kernel_size = 2}); },
                      {{4, 16, 16, 16}});
       }},
      {"linear",
       [] {
         return train([](const Leaves& v) { return linear(v[0], v[1], v[2]); }, {{64, 128}, {64, 128}, {64}});
       }},
      {"cross_entropy",
       [] {
         const Tensor labels = Tensor::arange(64, DType::i64);
         return train([=](const Leaves& v) { return cross_entropy(v[0], labels); }, {{64, 100}});
       }},
      {"adam", adam},
      {"graph_of_small_ops",
       [] {
         return train(chain, {{4, 8}});
       }},
  };
}

}  // namespace

extern "C" __attribute__((noinline)) void evenkeel_measured(const Path& path) { path(); }

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto paths = make_paths();
  if (arguments == std::vector<std::string>{"list"}) {
    for (const auto& [name, make] : paths) std::puts(name.c_str());
    return 0;
  }
  // A regression for the gate to see: the small graph with a fifth more ops.
  if (arguments.size() == 2 && arguments[1] == "planted") chain_length += chain_length / 5;
  set_num_threads(1);
  for (const auto& [name, make] : paths) {
    if (arguments.empty() || name != arguments[0]) continue;
    const Path path = make();
    path();
    path();
    evenkeel_measured(path);
    return 0;
  }
  std::fprintf(stderr, "usage: hot_paths list | PATH [planted]\n");
  return 2;
}
