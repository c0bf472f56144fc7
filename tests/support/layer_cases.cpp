#include "support/layer_cases.h"

#include "support/declared.h"

#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/embedding.h>
#include <evenkeel/nn/flatten.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/pad.h>
#include <evenkeel/nn/pooling.h>
#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/separable_conv.h>
#include <evenkeel/nn/unet.h>
#include <evenkeel/nn/upsample.h>

namespace evenkeel::test {

using namespace nn;

Shape many_cells(int rank, std::int64_t channels) {
  if (rank == 1) return {17, channels, 1111};
  if (rank == 2) return {9, channels, 37, 41};
  return {5, channels, 11, 13, 17};
}

Tensor random_input(const LayerCase& one, Rng& rng) {
  if (one.rows == 0) return Tensor::randn(one.input, rng);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < one.input.numel(); ++i) indices.push_back(rng.below(one.rows));
  return Tensor::from(indices, one.input);
}

namespace {

template <int D>
void add_convolutions(std::vector<LayerCase>& all) {
  const Shape input = many_cells(D, 12);
  const auto conv = [&](const char* name, std::int64_t out, int groups, int stride, PadMode mode) {
    const ConvOptions options{.in_channels = 12,
                              .out_channels = out,
                              .kernel_size = 3,
                              .stride = stride,
                              .padding = 1,
                              .groups = groups,
                              .padding_mode = mode};
    all.push_back({name, layer<Conv<D>>(options), input});
  };
  conv("", 20, 1, 1, PadMode::zeros);
  conv("strided", 20, 1, 2, PadMode::zeros);
  conv("grouped", 24, 4, 1, PadMode::zeros);
  conv("reflecting", 8, 1, 1, PadMode::reflect);
  const auto transpose = [&](const char* name, int kernel, int stride, int groups) {
    const ConvTransposeOptions options{.in_channels = 12,
                                       .out_channels = 10,
                                       .kernel_size = kernel,
                                       .stride = stride,
                                       .padding = 1,
                                       .groups = groups};
    all.push_back({name, layer<ConvTranspose<D>>(options), input});
  };
  transpose("", 4, 2, 1);
  transpose("of stride 1", 3, 1, 1);
  transpose("grouped", 4, 2, 2);
  const DepthWiseConvOptions depthwise{.in_channels = 12, .out_channels = 24, .kernel_size = 5, .padding = 2};
  const PointwiseConvOptions pointwise{.in_channels = 12, .out_channels = 70};
  all.push_back({"", layer<DepthWiseConv<D>>(depthwise), input});
  all.push_back({"", layer<PointwiseConv<D>>(pointwise), input});
}

template <int D>
void add_norms(std::vector<LayerCase>& all) {
  const Shape input = many_cells(D, 36);
  const BatchNormOptions batch{.num_features = 36};
  const InstanceNormOptions instance{.num_features = 36, .affine = true, .track_running_stats = true};
  all.push_back({"", layer<BatchNorm<D>>(batch), input});
  all.push_back({"", layer<InstanceNorm<D>>(instance), input});
  all.push_back({"and ReLU in one",
                 [=](Rng&) { return std::make_unique<Sequential>(BatchNorm<D>(batch), ReLU()); }, input});
  all.push_back({"and PReLU in one",
                 [=](Rng&) {
                   return std::make_unique<Sequential>(InstanceNorm<D>(instance),
                                                       PReLU({.num_parameters = 36}));
                 },
                 input});
}

template <int D>
void add_resampling(std::vector<LayerCase>& all) {
  const Shape input = many_cells(D, 36);
  all.push_back({"", layer<MaxPool<D>>(MaxPoolOptions{.kernel_size = 3, .stride = 2, .padding = 1}), input});
  all.push_back({"without overlap", layer<MaxPool<D>>(MaxPoolOptions{.kernel_size = 2}), input});
  all.push_back({"", layer<AvgPool<D>>(AvgPoolOptions{.kernel_size = 3, .stride = 2}), input});
  all.push_back({"", layer<AdaptiveAvgPool<D>>(Axes(5)), input});
  const InterpolationMode modes[] = {InterpolationMode::linear, InterpolationMode::bilinear,
                                     InterpolationMode::trilinear};
  const Shape smaller = many_cells(D, 12);
  all.push_back({"nearest", layer<Upsample>(UpsampleOptions{.scale_factor = 2}), smaller});
  for (const bool corners : {false, true})
    all.push_back(
        {corners ? "linear with corners" : "linear",
         layer<Upsample>(UpsampleOptions{.scale_factor = 2, .mode = modes[D - 1], .align_corners = corners}),
         smaller});
  const PadOptions padding{.padding = {2}};
  all.push_back({"", layer<Pad<D, PadMode::constant>>(padding), input});
  all.push_back({"", layer<Pad<D, PadMode::reflect>>(padding), input});
  all.push_back({"", layer<Pad<D, PadMode::replicate>>(padding), input});
  all.push_back({"", layer<Pad<D, PadMode::circular>>(padding), input});
}

template <int D>
void add_blocks_and_nets(std::vector<LayerCase>& all) {
  for (const Scaler scaler : {Scaler::down, Scaler::up}) {
    const bool up = scaler == Scaler::up;
    const ConvModernOptions options{.in_planes = 12, .out_planes = 18, .stride = 2, .scaler = scaler};
    const Shape fewer = D == 1 ? Shape{5, 12, 1111} : D == 2 ? Shape{3, 12, 29, 31} : Shape{2, 12, 7, 9, 11};
    const Shape input = up ? fewer : many_cells(D, 12);
    const char* name = up ? "up" : "down";
    all.push_back({name, layer<ConvModern<D>>(options), input});
    all.push_back({name, layer<BlockPlain<D>>(options), input});
    all.push_back({name, layer<BlockBottleneck<D>>(options), input});
    all.push_back({name,
                   layer<Stack<D>>(StackOptions{.family = NetFamily::plain,
                                                .in_planes = 12,
                                                .hidden_planes = 18,
                                                .out_planes = 18,
                                                .level = 2,
                                                .geometry = net_geometry(D, 3),
                                                .scaler = scaler}),
                   input});
  }
  const Shape image = D == 1 ? Shape{3, 2, 301} : D == 2 ? Shape{2, 2, 29, 31} : Shape{1, 2, 11, 10, 13};
  const std::vector<std::int64_t> layers{1, 1, 1};
  const UNetOptions options{.channel = 12, .layers = layers, .in_planes = 2, .family = NetFamily::plain};
  all.push_back({"", layer<UNet<D>>(options), image});
  all.push_back({"", layer<AE<D>>(options), image});
  all.push_back(
      {"", layer<EncoderNet<D>>(EncoderNetOptions{.channel = 12, .layers = layers, .in_planes = 2}), image});
  all.push_back({"",
                 layer<DecoderNet<D>>(DecoderNetOptions{
                     .channel = 12, .layers = layers, .out_size = D == 3 ? 13 : 37, .in_length = 20}),
                 {3, 20}});
}

}  // namespace

std::vector<LayerCase> plain_cases() {
  const Shape wide{16, 36, 927}, rows{3001, 99};
  std::vector<LayerCase> all{
      {"", layer<ReLU>(), wide},
      {"", layer<PReLU>(PReLUOptions{.num_parameters = 36}), wide},
      {"one slope", layer<PReLU>(), wide},
      {"", layer<GELU>(), wide},
      {"by tanh", layer<GELU>(GeluApproximation::tanh), wide},
      {"", layer<SiLU>(), wide},
      {"", layer<Sigmoid>(), wide},
      {"", layer<Tanh>(), wide},
      {"", layer<Dropout>(DropoutOptions{.p = 0.3}), wide},
      {"", layer<Softmax>(-1), rows},
      {"over channels", layer<Softmax>(1), many_cells(2, 36)},
      {"", layer<LogSoftmax>(1), many_cells(2, 36)},
      {"", layer<Flatten>(), wide},
      {"", layer<LayerNorm>(LayerNormOptions{.normalized_shape = {99}}), rows},
      {"", layer<RMSNorm>(RMSNormOptions{.normalized_shape = {99}}), rows},
      {"", layer<Linear>(LinearOptions{.in_features = 257, .out_features = 131}), {1303, 257}},
      {"of packed blocks", layer<Linear>(LinearOptions{.in_features = 544, .out_features = 320}), {200, 544}},
      {"of one row", layer<Linear>(LinearOptions{.in_features = 1030, .out_features = 519}), {1, 1030}},
      {"of a few rows", layer<Linear>(LinearOptions{.in_features = 1024, .out_features = 384}), {6, 1024}},
      {"", layer<Embedding>(EmbeddingOptions{.num_embeddings = 301, .embedding_dim = 130}), {37, 111}, 301},
      {"",
       [](Rng& rng) {
         return std::make_unique<Sequential>(Linear({.in_features = 257, .out_features = 131}, rng), GELU(),
                                             Linear({.in_features = 131, .out_features = 64}, rng));
       },
       {303, 257}},
  };
  const auto add_rank = [&]<int D>() {
    add_convolutions<D>(all);
    add_norms<D>(all);
    add_resampling<D>(all);
    add_blocks_and_nets<D>(all);
  };
  add_rank.operator()<1>();
  add_rank.operator()<2>();
  add_rank.operator()<3>();
  return all;
}

std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> all;
  for (const auto& some : {plain_cases(), conv_path_cases(), unit_scaled_cases()})
    all.insert(all.end(), some.begin(), some.end());
  for (LayerCase& one : all) {
    Rng rng(1);
    const std::string rest = one.name.empty() ? "" : " " + one.name;
    one.name = class_name(*one.make(rng)) + rest;
  }
  return all;
}

}  // namespace evenkeel::test
