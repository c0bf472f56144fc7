#include "support/function_cases.h"

#include <evenkeel/core/random.h>
#include <evenkeel/nn/functional.h>
#include <evenkeel/nn/init.h>
#include <evenkeel/nn/stack.h>
#include <evenkeel/nn/unit_scaled/functional.h>

namespace evenkeel::test {

namespace {

using Tensors = const std::vector<Tensor>&;

const Shape kWide{16, 20, 911}, kRows{3001, 99}, kSignal{6, 24, 1111}, kImage{6, 24, 37, 41},
    kVolume{3, 24, 11, 13, 17};

/// `inside` cells an axis behind the channels.
Shape weight(const Shape& x, std::int64_t out, std::int64_t in, std::int64_t inside) {
  Shape shape{out, in};
  for (int axis = 2; axis < x.rank(); ++axis) shape = shape.append(inside);
  return shape;
}

void add_convolutions(std::vector<FunctionCase>& all) {
  using namespace nn::functional;
  const auto conv = [&](const char* name, const Shape& x, auto function) {
    all.push_back({name, {x, weight(x, 20, 12, 3), {20}}, [=](Tensors t) {
                     return function(t[0], t[1], t[2], 2, 1, 1, 2);
                   }});
  };
  const auto transpose = [&](const char* name, const Shape& x, auto function) {
    all.push_back({name, {x, weight(x, 24, 10, 3), {20}}, [=](Tensors t) {
                     return function(t[0], t[1], t[2], 2, 1, 0, 2, 1);
                   }});
  };
  conv("conv1d", kSignal, conv1d);
  conv("conv2d", kImage, conv2d);
  conv("conv3d", kVolume, conv3d);
  transpose("conv_transpose1d", kSignal, conv_transpose1d);
  transpose("conv_transpose2d", kImage, conv_transpose2d);
  transpose("conv_transpose3d", kVolume, conv_transpose3d);
  all.push_back({"apply_conv", {kImage, {20, 24, 4, 4}}, [](Tensors t) {
                   const nn::ConvOptions options{
                       .in_channels = 24, .out_channels = 20, .kernel_size = 4, .padding = "same"};
                   return nn::apply_conv(2, options, t[0], t[1], {});
                 }});
  all.push_back({"crop_middle", {kImage}, [](Tensors t) { return nn::crop_middle(t[0], {30, 31}); }});
}

void add_initialisers(std::vector<FunctionCase>& all) {
  const auto add = [&](const char* name, auto function) {
    all.push_back({name, {}, [=](Tensors) {
                     Rng rng(5);
                     return function(Tensor::empty({601, 24, 5, 7}), rng);
                   }});
  };
  add("uniform_", [](const Tensor& t, Rng& rng) { return nn::init::uniform_(t, -1, 2, rng); });
  add("normal_", [](const Tensor& t, Rng& rng) { return nn::init::normal_(t, 1, 2, rng); });
  add("kaiming_uniform_", [](const Tensor& t, Rng& rng) { return nn::init::kaiming_uniform_(t, rng); });
  add("kaiming_normal_", [](const Tensor& t, Rng& rng) { return nn::init::kaiming_normal_(t, rng); });
  add("xavier_uniform_", [](const Tensor& t, Rng& rng) { return nn::init::xavier_uniform_(t, rng); });
  add("xavier_normal_", [](const Tensor& t, Rng& rng) { return nn::init::xavier_normal_(t, rng); });
}

namespace us = unit_scaled;

void add_unit_scaled(std::vector<FunctionCase>& all) {
  const auto add = [&](const std::string& name, std::vector<Shape> inputs, TensorFunction function) {
    all.push_back({"unit_scaled::" + name, std::move(inputs), std::move(function)});
  };
  add("gelu", {kWide}, [](Tensors t) { return us::gelu(t[0], 1.7); });
  add("silu", {kWide}, [](Tensors t) { return us::silu(t[0]); });
  add("silu_glu", {kWide, kWide}, [](Tensors t) { return us::silu_glu(t[0], t[1]); });
  add("relu", {kWide}, [](Tensors t) { return us::relu(t[0]); });
  add("prelu", {kWide, {20}}, [](Tensors t) { return us::prelu(t[0], t[1]); });
  add("softmax", {kRows}, [](Tensors t) { return us::softmax(t[0], 1); });
  add("dropout", {kWide}, [](Tensors t) {
    Rng rng(5);
    return us::dropout(t[0], 0.3, &rng);
  });
  add("conv", {kImage, {20, 24, 3, 3}, {20}}, [](Tensors t) { return us::conv(t[0], t[1], t[2]); });
  add("conv_readout", {kImage, {5, 24, 1, 1}}, [](Tensors t) { return us::conv_readout(t[0], t[1]); });
  add("conv_transpose", {kImage, {24, 10, 4, 4}, {10}},
      [](Tensors t) { return us::conv_transpose(t[0], t[1], t[2], {.stride = 2, .padding = 1}); });
  add("linear", {kRows, {130, 99}, {130}}, [](Tensors t) { return us::linear(t[0], t[1], t[2]); });
  add("linear_readout", {kRows, {10, 99}}, [](Tensors t) { return us::linear_readout(t[0], t[1]); });
  add("matmul", {{210, 330}, {330, 270}}, [](Tensors t) { return us::matmul(t[0], t[1]); });
  add("add", {kWide, {20, 1}}, [](Tensors t) { return us::add(t[0], t[1]); });
  add("residual_add", {kWide, kWide}, [](Tensors t) {
    const auto [residual, skip] = us::residual_split(t[0], 0.7);
    return us::residual_add(residual * t[1], skip, 0.7);
  });
  add("residual_apply", {kWide},
      [](Tensors t) { return us::residual_apply([](const Tensor& x) { return us::silu(x); }, t[0], 0.7); });
  add("cross_entropy", {kRows},
      [](Tensors t) { return us::cross_entropy(t[0], mixed_indices({3001}, 99), {.label_smoothing = 0.1}); });
  add("mse_loss", {kWide, kWide}, [](Tensors t) { return us::mse_loss(t[0], t[1]); });
  add("embedding", {{301, 130}}, [](Tensors t) {
    return us::embedding(mixed_indices({37, 111}, 301), t[0]);
  });
  add("batch_norm", {kImage, {24}, {24}}, [](Tensors t) { return us::batch_norm(t[0], {}, {}, t[1], t[2]); });
  add("instance_norm", {kImage, {24}, {24}},
      [](Tensors t) { return us::instance_norm(t[0], {}, {}, t[1], t[2]); });
  add("layer_norm", {kRows, {99}, {99}}, [](Tensors t) { return us::layer_norm(t[0], {99}, t[1], t[2]); });
  add("rms_norm", {kRows, {99}}, [](Tensors t) { return us::rms_norm(t[0], {99}, t[1]); });
  add("max_pool", {kImage}, [](Tensors t) { return us::max_pool(t[0], 2, {.kernel_size = 2}); });
  add("avg_pool", {kImage}, [](Tensors t) { return us::avg_pool(t[0], 2, {.kernel_size = 2}); });
  add("adaptive_avg_pool", {kImage}, [](Tensors t) { return us::adaptive_avg_pool(t[0], 2, 5); });
  add("global_mean", {kImage}, [](Tensors t) { return us::global_mean(t[0]); });
  add("interpolate", {kImage}, [](Tensors t) {
    return us::interpolate(t[0], {.scale_factor = 2, .mode = InterpolationMode::bilinear});
  });
  add("scale_fwd", {kWide}, [](Tensors t) { return us::scale_fwd(t[0], 1.7); });
  add("scale_bwd", {kWide}, [](Tensors t) { return us::scale_bwd(t[0], 1.7); });
  add("scale_both", {kWide}, [](Tensors t) { return us::detail::scale_both(t[0], 1.7, 0.3); });
  add("scaled", {kWide}, [](Tensors t) { return us::detail::scaled(t[0], {1.7, {0.3}}); });
}

}  // namespace

std::vector<FunctionCase> nn_function_cases() {
  std::vector<FunctionCase> all;
  add_convolutions(all);
  add_initialisers(all);
  add_unit_scaled(all);
  return all;
}

}  // namespace evenkeel::test
