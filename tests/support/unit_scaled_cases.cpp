#include "support/layer_cases.h"

#include <evenkeel/nn/unit_scaled/layers.h>

namespace evenkeel::test {

using namespace unit_scaled;

namespace {

template <class Conv, class ConvReadout, class DepthWiseConv, class ConvTranspose>
void add_convolutions(const Shape& input, std::vector<LayerCase>& all) {
  const ConvOptions conv{.in_channels = 12, .out_channels = 20, .kernel_size = 3, .padding = 1, .bias = true};
  const ConvReadoutOptions readout{.in_channels = 12, .out_channels = 5, .kernel_size = 1, .bias = true};
  const DepthWiseConvOptions depthwise{
      .in_channels = 12, .out_channels = 12, .kernel_size = 3, .padding = 1, .bias = true};
  const ConvTransposeOptions transpose{
      .in_channels = 12, .out_channels = 10, .kernel_size = 4, .stride = 2, .padding = 1, .bias = true};
  all.push_back({"", layer<Conv>(conv), input});
  all.push_back({"", layer<ConvReadout>(readout), input});
  all.push_back({"", layer<DepthWiseConv>(depthwise), input});
  all.push_back({"", layer<ConvTranspose>(transpose), input});
}

template <int D>
void add_rank(std::vector<LayerCase>& all) {
  const Shape input = many_cells(D, 36), fewer = many_cells(D, 12);
  all.push_back({"", layer<BatchNorm<D>>(BatchNormOptions{.num_features = 36, .affine = true}), input});
  all.push_back({"", layer<InstanceNorm<D>>(InstanceNormOptions{.num_features = 36, .affine = true}), input});
  all.push_back({"", layer<MaxPool<D>>(MaxPoolOptions{.kernel_size = 3, .stride = 2}), input});
  all.push_back({"", layer<AvgPool<D>>(AvgPoolOptions{.kernel_size = 3}), input});
  all.push_back({"", layer<AdaptiveAvgPool<D>>(Axes(5)), input});
  all.push_back({"", layer<Upsample>(nn::UpsampleOptions{.scale_factor = 2}), fewer});
  const nn::ConvModernOptions down{.in_planes = 12, .out_planes = 18, .stride = 2};
  all.push_back({"", layer<ConvModern<D>>(down), fewer});
  all.push_back({"", layer<BlockPlain<D>>(down), fewer});
  all.push_back({"", layer<BlockBottleneck<D>>(down), fewer});
}

}  // namespace

std::vector<LayerCase> unit_scaled_cases() {
  const Shape wide{16, 36, 927}, rows{3001, 99};
  std::vector<LayerCase> all{
      {"", layer<GELU>(), wide},
      {"", layer<SiLU>(), wide},
      {"", layer<ReLU>(), wide},
      {"", layer<PReLU>(PReLUOptions{.num_parameters = 36}), wide},
      {"", layer<Dropout>(nn::DropoutOptions{.p = 0.3}), wide},
      {"", layer<Softmax>(-1), rows},
      {"", layer<LayerNorm>(LayerNormOptions{.normalized_shape = {99}, .elementwise_affine = true}), rows},
      {"", layer<RMSNorm>(RMSNormOptions{.normalized_shape = {99}, .elementwise_affine = true}), rows},
      {"", layer<Linear>(LinearOptions{.in_features = 544, .out_features = 320, .bias = true}), {200, 544}},
      {"", layer<LinearReadout>(LinearReadoutOptions{.in_features = 257, .out_features = 10}), {5001, 257}},
      {"", layer<GlobalMean>(), wide},
      {"",
       layer<Embedding>(nn::EmbeddingOptions{.num_embeddings = 301, .embedding_dim = 130}),
       {37, 111},
       301},
      {"",
       [](Rng& rng) {
         return std::make_unique<DepthSequential>(Linear({.in_features = 257, .out_features = 131}, rng),
                                                  SiLU(),
                                                  Linear({.in_features = 131, .out_features = 64}, rng));
       },
       {303, 257}},
  };
  add_convolutions<Conv1d, ConvReadout1d, DepthWiseConv1d, ConvTranspose1d>(many_cells(1, 12), all);
  add_convolutions<Conv2d, ConvReadout2d, DepthWiseConv2d, ConvTranspose2d>(many_cells(2, 12), all);
  add_convolutions<Conv3d, ConvReadout3d, DepthWiseConv3d, ConvTranspose3d>(many_cells(3, 12), all);
  add_rank<1>(all);
  add_rank<2>(all);
  add_rank<3>(all);
  return all;
}

}  // namespace evenkeel::test
