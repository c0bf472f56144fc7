#include <evenkeel/core/error.h>
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
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <functional>

using namespace evenkeel;
using namespace evenkeel::nn;

namespace {

struct Refusal {
  const char* says;  ///< what the text must say after "expected": what would be right
  std::function<void(Rng&)> make;
};

int refusals = 0;

/// Each must be a ConfigError "[layer] … expected … says … got …" from the constructor.
void refuses(const std::string& layer, const std::vector<Refusal>& wrong) {
  for (const auto& [says, make] : wrong) {
    Rng rng(1);
    std::string text;
    try {
      make(rng);
    } catch (const ConfigError& error) {
      text = error.what();
    }
    const std::size_t expected = text.find("expected "), found = text.find(says), got = text.find("got ");
    BOOST_TEST((text.find("[" + layer + "]") == 0 && expected < found && found < text.size() &&
                got != std::string::npos),
               layer << ", " << says << ": " << (text.empty() ? "not refused" : text));
    ++refusals;
  }
}

/// A row: the layer made with the base options and one change.
template <class Layer, class Options, class Change>
Refusal row(const char* says, Options options, Change change) {
  change(options);
  return {says, [options]([[maybe_unused]] Rng& rng) {
            if constexpr (std::is_constructible_v<Layer, Options, Rng&>)
              Layer(options, rng);
            else
              Layer{options};
          }};
}

template <int D>
void refuse_convolutions() {
  const std::string rank = std::to_string(D) + "d";
  const auto conv = [](const char* says, auto change) {
    return row<Conv<D>>(says, ConvOptions{.in_channels = 4, .out_channels = 4, .kernel_size = 3}, change);
  };
  refuses("Conv" + rank,
          {conv("in_channels, out_channels and groups of at least 1", [](auto& o) { o.in_channels = 0; }),
           conv("in_channels, out_channels and groups of at least 1", [](auto& o) { o.groups = 0; }),
           conv("out_channels divisible by groups 4, got 6; 4 or 8",
                [](auto& o) {
                  o.groups = 4;
                  o.out_channels = 6;
                }),
           conv("in_channels divisible by groups 3, got 4; 3 or 6",
                [](auto& o) {
                  o.groups = 3;
                  o.out_channels = 6;
                }),
           conv("kernel_size as one number or one for each", [](auto& o) { o.kernel_size = Axes(); }),
           conv("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
           conv("stride of at least 1", [](auto& o) { o.stride = 0; }),
           conv("padding of at least 0", [](auto& o) { o.padding = -1; }),
           conv("dilation of at least 1", [](auto& o) { o.dilation = 0; }),
           conv("stride 1 with padding \"same\"",
                [](auto& o) {
                  o.padding = "same";
                  o.stride = 2;
                }),
           conv("cross_correlation", [](auto& o) { o.conv_mode = ConvMode::convolution; }),
           conv("compute_mode default_ with dtype f64",
                [](auto& o) {
                  o.compute_mode = ComputeMode::float32;
                  o.dtype = DType::f64;
                }),
           conv("dtype f32 or f64", [](auto& o) { o.dtype = DType::i64; })});
  const auto transpose = [](const char* says, auto change) {
    return row<ConvTranspose<D>>(
        says, ConvTransposeOptions{.in_channels = 4, .out_channels = 4, .kernel_size = 3}, change);
  };
  refuses("ConvTranspose" + rank,
          {transpose("of at least 1", [](auto& o) { o.out_channels = 0; }),
           transpose("divisible by groups 3", [](auto& o) { o.groups = 3; }),
           transpose("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
           transpose("stride of at least 1", [](auto& o) { o.stride = 0; }),
           transpose("padding of at least 0", [](auto& o) { o.padding = -1; }),
           transpose("dilation of at least 1", [](auto& o) { o.dilation = 0; }),
           transpose("output_padding of at least 0", [](auto& o) { o.output_padding = -1; }),
           transpose("output_padding below stride 1 or dilation 1", [](auto& o) { o.output_padding = 1; }),
           transpose("dtype f32 or f64", [](auto& o) { o.dtype = DType::i64; })});
  const auto depth = [](const char* says, auto change) {
    return row<DepthWiseConv<D>>(
        says, DepthWiseConvOptions{.in_channels = 16, .out_channels = 32, .kernel_size = 3}, change);
  };
  refuses("DepthWiseConv" + rank,
          {depth("groups 16, got 33; 32 or 48 would do", [](auto& o) { o.out_channels = 33; }),
           depth("of at least 1", [](auto& o) { o.in_channels = 0; }),
           depth("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
           depth("padding of at least 0", [](auto& o) { o.padding = -1; }),
           depth("dtype f32 or f64", [](auto& o) { o.dtype = DType::i64; })});
  const auto point = [](const char* says, auto change) {
    return row<PointwiseConv<D>>(says, PointwiseConvOptions{.in_channels = 4, .out_channels = 4}, change);
  };
  refuses("PointwiseConv" + rank, {point("of at least 1", [](auto& o) { o.in_channels = 0; }),
                                   point("stride of at least 1", [](auto& o) { o.stride = 0; }),
                                   point("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
                                   point("padding of at least 0", [](auto& o) { o.padding = -1; })});
}

template <class Layer>
std::vector<Refusal> wrong_modern(std::initializer_list<Refusal> more) {
  const auto modern = [](const char* says, auto change) {
    return row<Layer>(says, ConvModernOptions{.in_planes = 2, .out_planes = 2}, change);
  };
  std::vector<Refusal> wrong{
      modern("in_planes and out_planes of at least 1", [](auto& o) { o.in_planes = 0; }),
      modern("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
      modern("stride of at least 1", [](auto& o) { o.stride = 0; }),
      modern("padding of at least 0", [](auto& o) { o.padding = -1; }),
      modern("output_size with scaler up only", [](auto& o) { o.output_size = 5; }),
      modern("output_size of at least 1",
             [](auto& o) {
               o.output_size = 0;
               o.scaler = Scaler::up;
             }),
      modern("dtype f32 or f64", [](auto& o) { o.dtype = DType::i64; })};
  wrong.insert(wrong.end(), more);
  return wrong;
}

template <class Layer>
std::vector<Refusal> wrong_block() {
  const auto block = [](const char* says, auto change) {
    return row<Layer>(says, ConvModernOptions{.in_planes = 2, .out_planes = 2}, change);
  };
  const auto even = [](auto& o) {
    o.kernel_size = 4;
    o.padding = 2;
  };
  return wrong_modern<Layer>({block("an odd kernel_size and half of it as padding", even),
                              block("an odd kernel_size and half of it as padding",
                                    [=](auto& o) {
                                      even(o);
                                      o.stride = 2;
                                      o.scaler = Scaler::up;
                                    }),
                              block("half of it as padding", [](auto& o) { o.padding = 0; })});
}

template <int D>
void refuse_modern() {
  const std::string rank = std::to_string(D) + "d";
  refuses("ConvModern" + rank, wrong_modern<ConvModern<D>>({}));
  refuses("BlockPlain" + rank, wrong_block<BlockPlain<D>>());
  refuses("BlockBottleneck" + rank, wrong_block<BlockBottleneck<D>>());
}

template <class Layer, class Options>
std::vector<Refusal> wrong_net(const Options& base, std::initializer_list<Refusal> more) {
  const auto net = [&](const char* says, auto change) { return row<Layer>(says, base, change); };
  std::vector<Refusal> wrong{net("layers of at least", [](auto& o) { o.layers = {}; }),
                             net("at least 1 unit each",
                                 [](auto& o) {
                                   o.layers = {2, 0};
                                 }),
                             net("channel and planes of at least 1", [](auto& o) { o.channel = 0; }),
                             net("kernel_size of at least 1", [](auto& o) { o.kernel_size = 0; }),
                             net("an odd kernel_size with residual blocks",
                                 [](auto& o) {
                                   o.kernel_size = 4;
                                   o.family = NetFamily::plain;
                                 }),
                             net("dtype f32 or f64", [](auto& o) { o.dtype = DType::i64; })};
  wrong.insert(wrong.end(), more);
  return wrong;
}

template <int D>
void refuse_nets() {
  const std::string rank = std::to_string(D) + "d";
  const UNetOptions plain{.channel = 2, .layers = {1, 1}};
  const auto one_stage = [](auto& o) { o.layers = {2}; };
  const auto no_planes = [](auto& o) { o.in_planes = 0; };
  refuses("UNet" + rank, wrong_net<UNet<D>>(plain, {row<UNet<D>>("at least 2 stages", plain, one_stage),
                                                    row<UNet<D>>("planes of at least 1", plain, no_planes)}));
  refuses("AE" + rank, wrong_net<AE<D>>(plain, {row<AE<D>>("at least 2 stages", plain, one_stage)}));
  const EncoderNetOptions encoder{.channel = 2, .layers = {1, 1}};
  refuses("EncoderNet" + rank,
          wrong_net<EncoderNet<D>>(encoder, {row<EncoderNet<D>>("no negative length", encoder,
                                                                [](auto& o) { o.out_length = -1; })}));
  const DecoderNetOptions decoder{.channel = 2, .layers = {1, 1}, .out_size = 8};
  refuses("DecoderNet" + rank,
          wrong_net<DecoderNet<D>>(
              decoder,
              {row<DecoderNet<D>>("out_size as one number", decoder, [](auto& o) { o.out_size = Axes(); }),
               row<DecoderNet<D>>("can be halved 2 times", decoder, [](auto& o) { o.out_size = 1; })}));
}

template <int D>
void refuse_norms() {
  const std::string rank = std::to_string(D) + "d";
  const BatchNormOptions batch{.num_features = 2};
  const InstanceNormOptions instance{.num_features = 2};
  const auto features = [](auto& o) { o.num_features = 0; };
  const auto eps = [](auto& o) { o.eps = 0; };
  const auto momentum = [](auto& o) { o.momentum = 1.5; };
  const auto dtype = [](auto& o) { o.dtype = DType::i64; };
  refuses("BatchNorm" + rank, {row<BatchNorm<D>>("num_features of at least 1", batch, features),
                               row<BatchNorm<D>>("eps above 0", batch, eps),
                               row<BatchNorm<D>>("momentum between 0 and 1", batch, momentum),
                               row<BatchNorm<D>>("dtype f32 or f64", batch, dtype)});
  refuses("InstanceNorm" + rank, {row<InstanceNorm<D>>("num_features of at least 1", instance, features),
                                  row<InstanceNorm<D>>("eps above 0", instance, eps),
                                  row<InstanceNorm<D>>("momentum between 0 and 1", instance, momentum),
                                  row<InstanceNorm<D>>("dtype f32 or f64", instance, dtype)});
}

template <class MaxPoolLayer, class AvgPoolLayer, class AdaptiveLayer>
void refuse_pools(const std::string& rank) {
  const MaxPoolOptions max{.kernel_size = 2};
  const AvgPoolOptions avg{.kernel_size = 2};
  const auto kernel = [](auto& o) { o.kernel_size = 0; };
  const auto unset = [](auto& o) { o.kernel_size = Axes(); };
  const auto stride = [](auto& o) { o.stride = 0; };
  const auto padding = [](auto& o) { o.padding = 2; };
  refuses("MaxPool" + rank,
          {row<MaxPoolLayer>("kernel_size", max, kernel),
           row<MaxPoolLayer>("kernel_size as one number", max, unset),
           row<MaxPoolLayer>("stride of at least 1", max, stride), row<MaxPoolLayer>("half", max, padding),
           row<MaxPoolLayer>("dilation of at least 1", max, [](auto& o) { o.dilation = 0; })});
  refuses("AvgPool" + rank,
          {row<AvgPoolLayer>("kernel_size", avg, kernel),
           row<AvgPoolLayer>("kernel_size as one number", avg, unset),
           row<AvgPoolLayer>("stride of at least 1", avg, stride), row<AvgPoolLayer>("half", avg, padding)});
  refuses("AdaptiveAvgPool" + rank, {row<AdaptiveLayer>("output_size of at least 1", Axes(0), [](auto&) {}),
                                     row<AdaptiveLayer>("output_size as one number", Axes(), [](auto&) {})});
}

template <int D>
void refuse_pads() {
  const std::string rank = std::to_string(D) + "d";
  const auto no_numbers = [](auto& o) { o.padding = {}; };
  const auto negative = [](auto& o) { o.padding = {-1}; };
  const auto value = [](auto& o) { o.value = 2; };
  const PadOptions one{.padding = {1}};
  refuses("ConstantPad" + rank,
          {row<Pad<D, PadMode::constant>>("padding as one number or", one, no_numbers)});
  refuses("ReflectionPad" + rank,
          {row<Pad<D, PadMode::reflect>>("padding as one number or", one, no_numbers),
           row<Pad<D, PadMode::reflect>>("padding of at least 0", one, negative),
           row<Pad<D, PadMode::reflect>>("a value with ConstantPad only", one, value)});
  refuses("ReplicationPad" + rank, {row<Pad<D, PadMode::replicate>>("padding of at least 0", one, negative)});
  refuses("CircularPad" + rank, {row<Pad<D, PadMode::circular>>("padding of at least 0", one, negative)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refusal_test)

BOOST_AUTO_TEST_CASE(wrong_convolutions_are_refused_when_they_are_made) {
  refuse_convolutions<1>();
  refuse_convolutions<2>();
  refuse_convolutions<3>();
}

BOOST_AUTO_TEST_CASE(wrong_modern_layers_blocks_and_networks_are_refused_when_they_are_made) {
  refuse_modern<1>();
  refuse_modern<2>();
  refuse_modern<3>();
  refuse_nets<1>();
  refuse_nets<2>();
  refuse_nets<3>();
}

BOOST_AUTO_TEST_CASE(wrong_norms_pools_and_pads_are_refused_when_they_are_made) {
  refuse_norms<1>();
  refuse_norms<2>();
  refuse_norms<3>();
  const LayerNormOptions layer{.normalized_shape = {4}};
  const RMSNormOptions rms{.normalized_shape = {4}};
  const auto shape = [](auto& o) { o.normalized_shape = {0}; };
  const auto eps = [](auto& o) { o.eps = -1.0; };
  const auto dtype = [](auto& o) { o.dtype = DType::i64; };
  refuses("LayerNorm",
          {row<LayerNorm>("a normalized_shape with elements", layer, shape),
           row<LayerNorm>("eps above 0", layer, eps), row<LayerNorm>("dtype f32 or f64", layer, dtype)});
  refuses("RMSNorm", {row<RMSNorm>("a normalized_shape with elements", rms, shape),
                      row<RMSNorm>("eps above 0", rms, eps), row<RMSNorm>("dtype f32 or f64", rms, dtype)});
  refuse_pools<MaxPool1d, AvgPool1d, AdaptiveAvgPool1d>("1d");
  refuse_pools<MaxPool2d, AvgPool2d, AdaptiveAvgPool2d>("2d");
  refuse_pools<MaxPool3d, AvgPool3d, AdaptiveAvgPool3d>("3d");
  refuse_pads<1>();
  refuse_pads<2>();
  refuse_pads<3>();
}

BOOST_AUTO_TEST_CASE(other_wrong_layers_are_refused_when_they_are_made) {
  const LinearOptions linear{.in_features = 2, .out_features = 2};
  refuses("Linear", {row<Linear>("in_features and out_features of at least 1", linear,
                                 [](auto& o) { o.out_features = 0; }),
                     row<Linear>("dtype f32 or f64", linear, [](auto& o) { o.dtype = DType::i64; })});
  refuses("PReLU",
          {row<PReLU>("num_parameters of at least 1", PReLUOptions{}, [](auto& o) { o.num_parameters = 0; }),
           row<PReLU>("dtype f32 or f64", PReLUOptions{}, [](auto& o) { o.dtype = DType::i64; })});
  refuses("Dropout", {row<Dropout>("p from 0 to 1", DropoutOptions{}, [](auto& o) { o.p = 1.5; }),
                      row<Dropout>("p from 0 to 1", DropoutOptions{}, [](auto& o) { o.p = -0.5; })});
  const EmbeddingOptions rows{.num_embeddings = 2, .embedding_dim = 2};
  refuses("Embedding", {row<Embedding>("num_embeddings and embedding_dim of at least 1", rows,
                                       [](auto& o) { o.num_embeddings = 0; }),
                        row<Embedding>("dtype f32 or f64", rows, [](auto& o) { o.dtype = DType::i64; })});
  refuses("Flatten", {{"end_dim of at least start_dim 2", [](Rng&) { Flatten(2, 1); }},
                      {"end_dim of at least start_dim -1", [](Rng&) { Flatten(-1, -2); }}});
  const UpsampleOptions twice{.scale_factor = 2};
  refuses("Upsample", {row<Upsample>("size", twice, [](auto& o) { o.size = 4; }),
                       row<Upsample>("size", twice, [](auto& o) { o.scale_factor = Factors(); }),
                       row<Upsample>("scale_factor", twice, [](auto& o) { o.scale_factor = 0; }),
                       row<Upsample>("align_corners", twice, [](auto& o) { o.align_corners = true; }),
                       row<Upsample>("size", twice, [](auto& o) {
                         o.scale_factor = Factors();
                         o.size = {4, 4};
                         o.mode = InterpolationMode::linear;
                       })});
  std::printf("wrong configurations refused: %d\n", refusals);
}

BOOST_AUTO_TEST_SUITE_END()
