// Runs one hot path three times; bench/instructions counts the instructions of the last run under callgrind.
// Instruction counts repeat where times do not, so a test can hold them.

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/build_info.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/optim/adam.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

namespace {

using namespace evenkeel;
using Path = std::function<void()>;

Rng rng(1);

Tensor leaf(const Shape& shape) { return Tensor::randn(shape, rng).set_requires_grad(); }

/// Forward and backward of `function` of leaves of these shapes.
Path train(const std::function<Tensor(const std::vector<Tensor>&)>& function,
           const std::vector<Shape>& shapes) {
  std::vector<Tensor> leaves;
  for (const Shape& shape : shapes) leaves.push_back(leaf(shape));
  const Tensor seed = Tensor::ones(function(leaves).shape());
  return [=]() mutable {
    for (Tensor& tensor : leaves) tensor.zero_grad();
    function(leaves).backward(seed);
  };
}

Path conv_path(const Shape& x, const Shape& weight, const ConvParameters& parameters) {
  return train([=](const auto& v) { return conv(v[0], v[1], {}, parameters); }, {x, weight});
}

Path adam_path() {
  auto layer = std::make_shared<nn::Linear>(nn::LinearOptions{.in_features = 256, .out_features = 256}, rng);
  auto adam = std::make_shared<optim::Adam>(layer->parameters(), optim::AdamOptions{.lr = 1e-3});
  const Tensor weight_gradient = Tensor::randn({256, 256}, rng), bias_gradient = Tensor::randn({256}, rng);
  return [=] {
    Tensor(layer->weight().tensor()).set_grad(weight_gradient.clone());
    Tensor(layer->bias().tensor()).set_grad(bias_gradient.clone());
    adam->step();
  };
}

const std::map<std::string, std::function<Path()>> paths{
    {"conv1d",
     [] {
       return conv_path({4, 32, 256}, {32, 32, 3}, {.padding = 1});
     }},
    {"conv1d_strided",
     [] {
       return conv_path({4, 16, 255}, {32, 16, 3}, {.stride = 2, .padding = 1});
     }},
    {"conv2d",
     [] {
       return conv_path({2, 32, 16, 16}, {32, 32, 3, 3}, {.padding = 1});
     }},
    {"conv3d",
     [] {
       return conv_path({1, 8, 8, 8, 8}, {8, 8, 3, 3, 3}, {.padding = 1});
     }},
    {"depthwise1d",
     [] {
       return conv_path({4, 64, 256}, {64, 1, 7}, {.padding = 3, .groups = 64});
     }},
    {"pointwise1d",
     [] {
       return conv_path({4, 64, 256}, {64, 64, 1}, {});
     }},
    {"elementwise_chain",
     [] {
       return train([](const auto& v) { return tanh(v[0] * v[1] + v[0]); }, {{64, 256}, {64, 256}});
     }},
    {"gelu",
     [] {
       return train([](const auto& v) { return gelu(v[0]); }, {{64, 256}});
     }},
    {"linear",
     [] {
       return train([](const auto& v) { return linear(v[0], v[1], v[2]); }, {{64, 128}, {64, 128}, {64}});
     }},
    {"graph_of_small_ops",
     [] {
       return train(
           [](const auto& v) {
             Tensor x = v[0];
             for (int i = 0; i < 100; ++i) x = x * 1.01;
             return x;
           },
           {{4, 8}});
     }},
    {"adam", adam_path},
};

}  // namespace

extern "C" __attribute__((noinline)) void evenkeel_measured(const Path& path) { path(); }

int main(int argc, char** argv) {
  if (argc != 2 || (std::string(argv[1]) != "list" && !paths.contains(argv[1]))) {
    std::fprintf(stderr, "usage: instructions list | PATH\n");
    return 2;
  }
  if (std::string(argv[1]) == "list") {
    for (const auto& [name, make] : paths) std::printf("%s\n", name.c_str());
    return 0;
  }
  set_num_threads(1);
  const Path path = paths.at(argv[1])();
  path();
  path();
  evenkeel_measured(path);
}
