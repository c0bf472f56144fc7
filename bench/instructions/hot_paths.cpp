// Runs one hot path three times; bench/instructions/check counts the instructions of the last run under
// callgrind. They repeat where times do not, so a test can hold them.

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/sgd.h>

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

/// A step of `Optimizer` on a layer of 65,792 parameters.
template <class Optimizer, class Options>
Path step(const Options& options) {
  auto layer = std::make_shared<nn::Linear>(nn::LinearOptions{.in_features = 256, .out_features = 256}, rng);
  auto optimizer = std::make_shared<Optimizer>(layer->parameters(), options);
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

/// Norm, activation, convolution: the modern layer's order, the first two in one pass as Sequential runs
/// them.
Tensor modern(const Leaves& v) {
  const NormActivation then{NormActivation::Kind::prelu, v[3]};
  return conv(instance_norm(v[0], {}, {}, v[1], v[2], {}, then), v[4], {}, {.padding = 1});
}

Tensor batch_norm_2d(const Leaves& v) {
  Tensor mean = Tensor::zeros({32}), variance = Tensor::ones({32});
  return batch_norm(v[0], mean, variance, v[1], v[2]);
}

Tensor batch_norm_relu_2d(const Leaves& v) {
  Tensor mean = Tensor::zeros({32}), variance = Tensor::ones({32});
  return batch_norm(v[0], mean, variance, v[1], v[2], {}, {NormActivation::Kind::relu, {}});
}

Tensor upsample_2d(const Leaves& v) {
  return interpolate(v[0], {.scale_factor = 2, .mode = InterpolationMode::bilinear});
}

Tensor biased_linear(const Leaves& v) { return linear(v[0], v[1], v[2]); }

using MakePath = std::function<Path()>;

std::vector<std::pair<std::string, MakePath>> make_paths() {
  const auto conv_of = [](const Shape& x, const Shape& weight, const ConvParameters& parameters) -> MakePath {
    return [=] { return train_conv(x, weight, parameters); };
  };
  const auto of = [](Tensor (*function)(const Leaves&), const std::vector<Shape>& shapes) -> MakePath {
    return [=] { return train(function, shapes); };
  };
  return {
      {"conv1d", conv_of({4, 32, 256}, {32, 32, 3}, {.padding = 1})},
      {"conv1d_strided", conv_of({4, 16, 255}, {32, 16, 3}, {.stride = 2, .padding = 1})},
      {"conv1d_first", conv_of({2, 1, 1024}, {32, 1, 7}, {.padding = 3})},
      {"conv1d_grouped", conv_of({4, 32, 256}, {32, 8, 3}, {.padding = 1, .groups = 4})},
      {"conv1d_depthwise", conv_of({4, 64, 256}, {64, 1, 7}, {.padding = 3, .groups = 64})},
      {"conv1d_pointwise", conv_of({4, 64, 256}, {64, 64, 1}, {})},
      {"conv2d", conv_of({2, 32, 16, 16}, {32, 32, 3, 3}, {.padding = 1})},
      {"conv2d_depthwise", conv_of({2, 64, 16, 16}, {64, 1, 3, 3}, {.padding = 1, .groups = 64})},
      {"conv2d_pointwise_few", conv_of({1, 128, 6, 6}, {128, 128, 1, 1}, {})},
      {"conv2d_narrow_strided", conv_of({4, 32, 8, 8}, {64, 32, 3, 3}, {.stride = 2, .padding = 1})},
      {"conv3d", conv_of({1, 8, 8, 8, 8}, {8, 8, 3, 3, 3}, {.padding = 1})},
      {"conv_transpose2d",
       of([](const Leaves& v) { return conv_transpose(v[0], v[1], v[2], {.stride = 2, .padding = 1}); },
          {{2, 32, 16, 16}, {32, 16, 4, 4}, {16}})},
      {"modern1d", of(modern, {{4, 16, 255}, {16}, {16}, {16}, {32, 16, 3}})},
      {"batch_norm2d", of(batch_norm_2d, {{4, 32, 16, 16}, {32}, {32}})},
      {"batch_norm2d_relu", of(batch_norm_relu_2d, {{4, 32, 16, 16}, {32}, {32}})},
      {"layer_norm",
       of([](const Leaves& v) { return layer_norm(v[0], {256}, v[1], v[2]); }, {{64, 256}, {256}, {256}})},
      {"rms_norm", of([](const Leaves& v) { return rms_norm(v[0], {256}, v[1]); }, {{64, 256}, {256}})},
      {"relu", of([](const Leaves& v) { return relu(v[0]); }, {{64, 256}})},
      {"gelu", of([](const Leaves& v) { return gelu(v[0]); }, {{64, 256}})},
      {"tanh_of_products",
       of([](const Leaves& v) { return tanh(v[0] * v[1] + v[0]); }, {{64, 256}, {64, 256}})},
      {"softmax", of([](const Leaves& v) { return softmax(v[0], 1); }, {{64, 256}})},
      {"max_pool2d",
       of([](const Leaves& v) { return max_pool2d(v[0], {.kernel_size = 2}); }, {{4, 16, 16, 16}})},
      {"avg_pool2d",
       of([](const Leaves& v) { return avg_pool2d(v[0], {.kernel_size = 2}); }, {{4, 16, 16, 16}})},
      {"upsample2d", of(upsample_2d, {{4, 16, 16, 16}})},
      {"linear", of(biased_linear, {{64, 128}, {64, 128}, {64}})},
      {"linear_packed", of(biased_linear, {{128, 256}, {256, 256}, {256}})},
      {"cross_entropy",
       [] {
         const Tensor labels = Tensor::arange(64, DType::i64);
         return train([=](const Leaves& v) { return cross_entropy(v[0], labels); }, {{64, 100}});
       }},
      {"adam", [] { return step<optim::Adam>(optim::AdamOptions{.lr = 1e-3}); }},
      {"sgd", [] { return step<optim::SGD>(optim::SGDOptions{.lr = 1e-3, .momentum = 0.9}); }},
      {"graph_of_small_ops", of(chain, {{4, 8}})},
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
