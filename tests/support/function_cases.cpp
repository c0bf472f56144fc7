#include "support/function_cases.h"

#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>
#include <evenkeel/core/random.h>

namespace evenkeel::test {

namespace {

using Tensors = const std::vector<Tensor>&;

const Shape kWide{16, 20, 911}, kRows{3001, 99}, kSignal{17, 36, 1111}, kImage{9, 36, 37, 41},
    kVolume{5, 36, 11, 13, 17};

void add_elementwise(std::vector<FunctionCase>& all) {
  const Shape channels{20, 1}, one_row{1, 1, 911};
  const auto unary = [&](const char* name, Tensor (*function)(const Tensor&), bool is_positive = false) {
    all.push_back({name, {kWide}, [=](Tensors t) { return function(t[0]); }, is_positive});
  };
  unary("abs", abs);
  unary("exp", exp);
  unary("log", log, true);
  unary("sqrt", sqrt, true);
  unary("sigmoid", sigmoid);
  unary("tanh", tanh);
  unary("relu", relu);
  unary("silu", silu);
  unary("is_positive", detail::is_positive);
  const auto binary = [&](const char* name, Tensor (*function)(const Tensor&, const Tensor&)) {
    const auto call = [=](Tensors t) { return function(t[0], t[1]); };
    const std::string text = name;
    all.push_back({text, {kWide, kWide}, call, true});
    all.push_back({text + " over channels", {kWide, channels}, call, true});
    all.push_back({text + " over rows", {one_row, kWide}, call, true});
  };
  binary("add", add);
  binary("sub", sub);
  binary("mul", mul);
  binary("div", div);
  all.push_back({"pow", {kWide}, [](Tensors t) { return pow(t[0], 1.5); }, true});
  all.push_back({"gelu", {kWide}, [](Tensors t) { return gelu(t[0]); }});
  all.push_back({"gelu by tanh", {kWide}, [](Tensors t) { return gelu(t[0], GeluApproximation::tanh); }});
  all.push_back({"affine", {kWide}, [](Tensors t) { return affine(t[0], 1.7, 0.3); }});
  all.push_back({"scale", {kWide}, [](Tensors t) { return scale(t[0], 1.7, 0.3); }});
  all.push_back({"prelu", {kWide, {20}}, [](Tensors t) { return prelu(t[0], t[1]); }});
  all.push_back({"prelu one slope", {kWide, {1}}, [](Tensors t) { return prelu(t[0], t[1]); }});
  all.push_back(
      {"over_channels", {{20}}, [](Tensors t) { return detail::over_channels(t[0], Tensor::ones(kWide)); }});
  all.push_back({"dropout", {kWide}, [](Tensors t) {
                   Rng rng(5);
                   return dropout(t[0], 0.3, rng);
                 }});
}

void add_reductions(std::vector<FunctionCase>& all) {
  all.push_back({"sum", {kWide}, [](Tensors t) { return sum(t[0]); }});
  all.push_back({"sum over rows", {kWide}, [](Tensors t) { return sum(t[0], 2); }});
  all.push_back({"sum over all but channels", {kWide}, [](Tensors t) { return sum(t[0], {0, 2}); }});
  all.push_back({"sum over the batch", {kWide}, [](Tensors t) { return sum(t[0], 0); }});
  all.push_back({"mean", {kWide}, [](Tensors t) { return mean(t[0]); }});
  all.push_back({"mean over rows", {kWide}, [](Tensors t) { return mean(t[0], 2, true); }});
  all.push_back({"var", {kWide}, [](Tensors t) { return var(t[0], {0, 2}); }});
  all.push_back({"max", {kWide}, [](Tensors t) { return max(t[0], 2); }});
  all.push_back({"max over channels", {kWide}, [](Tensors t) { return max(t[0], 1); }});
  all.push_back({"argmax", {kWide}, [](Tensors t) { return argmax(t[0], 2); }});
  all.push_back({"sum_to", {kWide}, [](Tensors t) { return detail::sum_to(t[0], {20, 1}); }});
  all.push_back({"softmax", {kRows}, [](Tensors t) { return softmax(t[0], 1); }});
  all.push_back({"softmax over channels", {kImage}, [](Tensors t) { return softmax(t[0], 1); }});
  all.push_back({"log_softmax", {kRows}, [](Tensors t) { return log_softmax(t[0], -1); }});
}

void add_losses(std::vector<FunctionCase>& all) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const std::string rest = reduction == Reduction::none ? " of each" : "";
    all.push_back(
        {"mse_loss" + rest, {kWide, kWide}, [=](Tensors t) { return mse_loss(t[0], t[1], reduction); }});
    all.push_back(
        {"l1_loss" + rest, {kWide, kWide}, [=](Tensors t) { return l1_loss(t[0], t[1], reduction); }});
    all.push_back({"huber_loss" + rest, {kWide, kWide}, [=](Tensors t) {
                     return huber_loss(t[0], t[1], 0.7, reduction);
                   }});
    all.push_back({"bce_with_logits" + rest, {kWide, kWide}, [=](Tensors t) {
                     return bce_with_logits(t[0], t[1], Tensor::full({911}, 1.7), reduction);
                   }});
    all.push_back({"cross_entropy" + rest, {kRows}, [=](Tensors t) {
                     const CrossEntropyOptions options{.label_smoothing = 0.1, .reduction = reduction};
                     return cross_entropy(t[0], mixed_indices({3001}, 99), options);
                   }});
    all.push_back({"cross_entropy of cells" + rest, {kImage}, [=](Tensors t) {
                     const CrossEntropyOptions options{.weight = Tensor::full({36}, 1.7),
                                                       .reduction = reduction};
                     return cross_entropy(t[0], mixed_indices({9, 37, 41}, 36), options);
                   }});
  }
}

void add_norms(std::vector<FunctionCase>& all) {
  all.push_back(
      {"batch_norm", {kImage, {36}, {36}}, [](Tensors t) { return batch_norm(t[0], {}, {}, t[1], t[2]); }});
  all.push_back({"batch_norm by running statistics", {kImage, {36}, {36}}, [](Tensors t) {
                   return batch_norm(t[0], Tensor::full({36}, 0.1), Tensor::full({36}, 1.7), t[1], t[2],
                                     {.training = false});
                 }});
  all.push_back({"instance_norm", {kImage, {36}, {36}, {36}}, [](Tensors t) {
                   return instance_norm(t[0], {}, {}, t[1], t[2], {}, {NormActivation::Kind::prelu, t[3]});
                 }});
  all.push_back(
      {"layer_norm", {kRows, {99}, {99}}, [](Tensors t) { return layer_norm(t[0], {99}, t[1], t[2]); }});
  all.push_back({"rms_norm", {kRows, {99}}, [](Tensors t) { return rms_norm(t[0], {99}, t[1]); }});
}

void add_products(std::vector<FunctionCase>& all) {
  all.push_back(
      {"linear", {{200, 544}, {320, 544}, {320}}, [](Tensors t) { return linear(t[0], t[1], t[2]); }});
  all.push_back({"matmul", {{210, 330}, {330, 270}}, [](Tensors t) { return matmul(t[0], t[1]); }});
  all.push_back(
      {"matmul of many", {{24, 37, 51}, {24, 51, 43}}, [](Tensors t) { return matmul(t[0], t[1]); }});
  all.push_back({"conv", {{6, 24, 37, 41}, {36, 12, 3, 3}, {36}}, [](Tensors t) {
                   return conv(t[0], t[1], t[2], {.stride = 2, .padding = 1, .groups = 2});
                 }});
  all.push_back({"conv_transpose", {{6, 24, 19, 23}, {24, 18, 4, 4}, {18}}, [](Tensors t) {
                   return conv_transpose(t[0], t[1], t[2], {.stride = 2, .padding = 1});
                 }});
  all.push_back({"embedding", {{301, 130}}, [](Tensors t) {
                   return embedding(mixed_indices({37, 111}, 301), t[0]);
                 }});
}

void add_places(std::vector<FunctionCase>& all) {
  all.push_back({"reshape", {kWide}, [](Tensors t) { return reshape(t[0], {20, -1}); }});
  all.push_back({"flatten", {kWide}, [](Tensors t) { return flatten(t[0], 1); }});
  all.push_back({"permute", {kImage}, [](Tensors t) { return permute(t[0], {2, 0, 3, 1}); }});
  all.push_back({"transpose", {kWide}, [](Tensors t) { return transpose(t[0], 1, 2); }});
  all.push_back({"expand", {{16, 1, 911}}, [](Tensors t) { return expand(t[0], kWide); }});
  all.push_back({"slice", {kWide}, [](Tensors t) { return slice(t[0], 2, 3, -5, 2); }});
  all.push_back({"cat", {kWide, kWide}, [](Tensors t) { return cat({t[0], t[1]}, 1); }});
  all.push_back({"stack", {kWide, kWide}, [](Tensors t) { return stack({t[0], t[1]}, 1); }});
  all.push_back({"pad", {kImage}, [](Tensors t) { return pad(t[0], {3, 2, 1, 4}, PadMode::reflect); }});
  for (const Shape& input : {kSignal, kImage, kVolume})
    all.push_back({"interpolate", {input.with(1, 12)}, [](Tensors t) {
                     return interpolate(t[0], {.scale_factor = 2});
                   }});
}

void add_pools(std::vector<FunctionCase>& all) {
  const MaxPoolOptions max{.kernel_size = 3, .stride = 2};
  const AvgPoolOptions avg{.kernel_size = 3, .stride = 2, .padding = 1};
  all.push_back({"max_pool", {kImage}, [=](Tensors t) { return max_pool(t[0], 2, max); }});
  all.push_back({"max_pool1d", {kSignal}, [=](Tensors t) { return max_pool1d(t[0], max); }});
  all.push_back({"max_pool2d", {kImage}, [=](Tensors t) { return max_pool2d(t[0], max); }});
  all.push_back({"max_pool3d", {kVolume}, [=](Tensors t) { return max_pool3d(t[0], max); }});
  all.push_back({"avg_pool", {kImage}, [=](Tensors t) { return avg_pool(t[0], 2, avg); }});
  all.push_back({"avg_pool1d", {kSignal}, [=](Tensors t) { return avg_pool1d(t[0], avg); }});
  all.push_back({"avg_pool2d", {kImage}, [=](Tensors t) { return avg_pool2d(t[0], avg); }});
  all.push_back({"avg_pool3d", {kVolume}, [=](Tensors t) { return avg_pool3d(t[0], avg); }});
  all.push_back({"adaptive_avg_pool", {kImage}, [](Tensors t) { return adaptive_avg_pool(t[0], 2, 5); }});
  all.push_back({"adaptive_avg_pool1d", {kSignal}, [](Tensors t) { return adaptive_avg_pool1d(t[0], 5); }});
  all.push_back({"adaptive_avg_pool2d", {kImage}, [](Tensors t) { return adaptive_avg_pool2d(t[0], 5); }});
  all.push_back({"adaptive_avg_pool3d", {kVolume}, [](Tensors t) { return adaptive_avg_pool3d(t[0], 5); }});
}

}  // namespace

Tensor mixed_indices(const Shape& shape, std::int64_t below) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < shape.numel(); ++i) indices.push_back(i * 7919 % below);
  return Tensor::from(indices, shape);
}

std::vector<FunctionCase> op_cases() {
  std::vector<FunctionCase> all;
  add_elementwise(all);
  add_reductions(all);
  add_losses(all);
  add_norms(all);
  add_products(all);
  add_places(all);
  add_pools(all);
  return all;
}

std::vector<FunctionCase> function_cases() {
  std::vector<FunctionCase> all = op_cases();
  for (FunctionCase& one : nn_function_cases()) all.push_back(std::move(one));
  return all;
}

}  // namespace evenkeel::test
