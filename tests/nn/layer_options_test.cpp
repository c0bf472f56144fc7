#include "support/check_gradients.h"
#include "support/field_count.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/embedding.h>
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
#include <set>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

namespace {

/// All that a user can see of a layer: parameters, outputs in training and evaluation, buffers, errors.
struct Outcome {
  std::string text;
  std::vector<double> numbers;

  void add(const Tensor& tensor) {
    text += tensor.shape().str() + name(tensor.dtype()) + " ";
    for (const double value : tensor.detach().to(DType::f64).to_vector<double>()) numbers.push_back(value);
  }
  bool operator==(const Outcome&) const = default;
};

template <class Layer, class Options>
Layer make(const Options& options) {
  Rng rng(1);
  if constexpr (std::is_constructible_v<Layer, Options, Rng&>)
    return Layer(options, rng);
  else
    return Layer(options);
}

template <class Layer, class Options>
Outcome outcome_of(const Options& options, Tensor x) {
  Outcome outcome;
  try {
    Layer layer = make<Layer>(options);
    for (const auto& [name, parameter] : layer.named_parameters()) {
      outcome.text += name;
      outcome.add(parameter.tensor());
      if (is_floating(x.dtype())) x = x.to(parameter.tensor().dtype());
    }
    for (const bool training : {true, false}) {
      layer.train(training);
      outcome.add(layer(x));
    }
    for (const NamedBuffer& buffer : layer.named_buffers()) outcome.add(buffer.tensor);
  } catch (const Error& error) {
    outcome.text += error.what();
  }
  return outcome;
}

struct Totals {
  int layers = 0, options = 0, tests = 0;
  ~Totals() {
    std::printf("options: %d of %d layers; tests that fail when one is ignored: %d\n", options, layers,
                tests);
  }
};

Totals& totals() {
  static Totals all;
  return all;
}

/// One test for each option of a layer: two layers that differ in nothing else must differ in what they do.
template <class Layer, class Options>
class OptionTests {
 public:
  OptionTests(const char* layer, const Options& base, const Tensor& x) : layer_(layer), base_(base), x_(x) {
    BOOST_TEST((outcome_of<Layer>(base_, x_) == outcome_of<Layer>(base_, x_)),
               layer << " differs from itself");
  }
  ~OptionTests() {
    constexpr int kFields = static_cast<int>(field_count<Options>());
    BOOST_TEST(static_cast<int>(tested_.size()) == kFields, layer_ << " has options without a test");
    ++totals().layers;
    totals().options += kFields;
    totals().tests += static_cast<int>(tested_.size());
  }

  /// `change` sets `option` alone, on top of the base options and `common`.
  template <class Change, class Common>
  OptionTests& option(const char* option, Change change, Common common) {
    Options usual = base_;
    common(usual);
    Options changed = usual;
    change(changed);
    BOOST_TEST((outcome_of<Layer>(usual, x_) != outcome_of<Layer>(changed, x_)),
               layer_ << " ignores " << option);
    tested_.insert(option);
    return *this;
  }
  template <class Change>
  OptionTests& option(const char* name, Change change) {
    return option(name, change, [](Options&) {});
  }

 private:
  const char* layer_;
  Options base_;
  Tensor x_;
  std::set<std::string> tested_;
};

/// (2, channels, L…) with D spatial axes.
template <int D>
Tensor input(std::int64_t channels, std::int64_t length) {
  Shape shape{2, channels};
  for (int axis = 0; axis < D; ++axis) shape = shape.append(length);
  return random_tensor(shape);
}

template <int D>
void test_convolutions() {
  const auto same = [](auto& o) { o.padding = "same"; };
  OptionTests<Conv<D>, ConvOptions>(
      "Conv", {.in_channels = 4, .out_channels = 4, .kernel_size = 3, .dtype = DType::f64}, input<D>(4, 5))
      .option("in_channels", [](auto& o) { o.in_channels = 2; })
      .option("out_channels", [](auto& o) { o.out_channels = 8; })
      .option("kernel_size", [](auto& o) { o.kernel_size = 2; })
      .option("stride", [](auto& o) { o.stride = 2; })
      .option("padding", [](auto& o) { o.padding = 1; })
      .option(
          "padding", [](auto& o) { o.padding = "valid"; }, same)
      .option("dilation", [](auto& o) { o.dilation = 2; })
      .option("groups", [](auto& o) { o.groups = 2; })
      .option("bias", [](auto& o) { o.bias = false; })
      .option(
          "padding_mode", [](auto& o) { o.padding_mode = PadMode::reflect; }, same)
      .option(
          "padding_mode", [](auto& o) { o.padding_mode = PadMode::replicate; }, same)
      .option(
          "padding_mode", [](auto& o) { o.padding_mode = PadMode::circular; }, same)
      .option("conv_mode", [](auto& o) { o.conv_mode = ConvMode::convolution; })
      .option("compute_mode", [](auto& o) { o.compute_mode = ComputeMode::float32; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<ConvTranspose<D>, ConvTransposeOptions>(
      "ConvTranspose", {.in_channels = 4, .out_channels = 4, .kernel_size = 3, .dtype = DType::f64},
      input<D>(4, 4))
      .option("in_channels", [](auto& o) { o.in_channels = 2; })
      .option("out_channels", [](auto& o) { o.out_channels = 8; })
      .option("kernel_size", [](auto& o) { o.kernel_size = 2; })
      .option("stride", [](auto& o) { o.stride = 2; })
      .option("padding", [](auto& o) { o.padding = 1; })
      .option(
          "output_padding", [](auto& o) { o.output_padding = 1; }, [](auto& o) { o.stride = 2; })
      .option("groups", [](auto& o) { o.groups = 2; })
      .option("bias", [](auto& o) { o.bias = false; })
      .option("dilation", [](auto& o) { o.dilation = 2; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<DepthWiseConv<D>, DepthWiseConvOptions>(
      "DepthWiseConv", {.in_channels = 4, .out_channels = 4, .kernel_size = 3, .dtype = DType::f64},
      input<D>(4, 5))
      .option("in_channels", [](auto& o) { o.in_channels = 2; })
      .option("out_channels", [](auto& o) { o.out_channels = 8; })
      .option("kernel_size", [](auto& o) { o.kernel_size = 2; })
      .option("padding", [](auto& o) { o.padding = 1; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<PointwiseConv<D>, PointwiseConvOptions>(
      "PointwiseConv", {.in_channels = 4, .out_channels = 4, .dtype = DType::f64}, input<D>(4, 5))
      .option("in_channels", [](auto& o) { o.in_channels = 2; })
      .option("out_channels", [](auto& o) { o.out_channels = 8; })
      .option("stride", [](auto& o) { o.stride = 2; })
      .option("padding", [](auto& o) { o.padding = 1; })
      .option("bias", [](auto& o) { o.bias = false; })
      .option("kernel_size", [](auto& o) { o.kernel_size = 2; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

template <class Layer>
void test_modern(const char* name, const Tensor& x) {
  const auto up = [](auto& o) { o.scaler = Scaler::up; };
  const auto stride = [](auto& o) { o.stride = 2; };
  OptionTests<Layer, ConvModernOptions>(name, {.in_planes = 2, .out_planes = 2, .dtype = DType::f64}, x)
      .option("in_planes", [](auto& o) { o.in_planes = 3; })
      .option("out_planes", [](auto& o) { o.out_planes = 3; })
      .option("kernel_size", [](auto& o) { o.kernel_size = 5; })
      .option("stride", stride)
      .option("stride", stride, up)
      .option("padding", [](auto& o) { o.padding = 2; })
      .option(
          "output_size", [](auto& o) { o.output_size = 7; }, up)
      .option("normalizer", [](auto& o) { o.normalizer = Normalizer::null; })
      .option("normalizer", [](auto& o) { o.normalizer = Normalizer::batch; })
      .option("normalizer", [](auto& o) { o.normalizer = Normalizer::inst; })
      .option("activator", [](auto& o) { o.activator = Activator::relu; })
      .option("activator", [](auto& o) { o.activator = Activator::null; })
      .option("layer_order", [](auto& o) { o.layer_order = LayerOrder::old; })
      .option("scaler", up, stride)
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

/// The options that a UNet, an AE, an EncoderNet and a DecoderNet share.
template <class Layer, class Options>
OptionTests<Layer, Options>& test_net(OptionTests<Layer, Options>&& tests) {
  return tests.option("channel", [](auto& o) { o.channel = 3; })
      .option("layers",
              [](auto& o) {
                o.layers = {1, 2};
              })
      .option("kernel_size", [](auto& o) { o.kernel_size = 5; })
      .option("family", [](auto& o) { o.family = NetFamily::plain; })
      .option("family", [](auto& o) { o.family = NetFamily::bottleneck; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

template <int D>
void test_nets() {
  const UNetOptions plain{.channel = 2, .layers = {1, 1}, .dtype = DType::f64};
  const auto in_planes = [](auto& o) { o.in_planes = 2; };
  const auto out_planes = [](auto& o) { o.out_planes = 2; };
  test_net(OptionTests<UNet<D>, UNetOptions>("UNet", plain, input<D>(1, 6)))
      .option("in_planes", in_planes)
      .option("out_planes", out_planes);
  test_net(OptionTests<AE<D>, AEOptions>("AE", plain, input<D>(1, 6)))
      .option("in_planes", in_planes)
      .option("out_planes", out_planes);
  test_net(OptionTests<EncoderNet<D>, EncoderNetOptions>(
               "EncoderNet", {.channel = 2, .layers = {1, 1}, .dtype = DType::f64}, input<D>(1, 6)))
      .option("in_planes", in_planes)
      .option("out_length", [](auto& o) { o.out_length = 3; })
      .option("out_length", [](auto& o) { o.out_length = 0; });
  test_net(OptionTests<DecoderNet<D>, DecoderNetOptions>(
               "DecoderNet", {.channel = 2, .layers = {1, 1}, .out_size = 6, .dtype = DType::f64},
               random_tensor({2, 2})))
      .option("out_size", [](auto& o) { o.out_size = 5; })
      .option("in_length", [](auto& o) { o.in_length = 3; })
      .option("in_length", [](auto& o) { o.in_length = 0; })
      .option("out_planes", out_planes);
}

template <int D>
void test_norms() {
  const auto tracked = [](auto& o) { o.track_running_stats = true; };
  OptionTests<BatchNorm<D>, BatchNormOptions>("BatchNorm", {.num_features = 2, .dtype = DType::f64},
                                              input<D>(2, 3))
      .option("num_features", [](auto& o) { o.num_features = 3; })
      .option("eps", [](auto& o) { o.eps = 0.5; })
      .option("momentum", [](auto& o) { o.momentum = 0.5; })
      .option("momentum", [](auto& o) { o.momentum = {}; })
      .option("affine", [](auto& o) { o.affine = false; })
      .option("track_running_stats", [](auto& o) { o.track_running_stats = false; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<InstanceNorm<D>, InstanceNormOptions>(
      "InstanceNorm", {.num_features = 2, .affine = true, .dtype = DType::f64}, input<D>(2, 3))
      .option("num_features", [](auto& o) { o.num_features = 3; })
      .option("eps", [](auto& o) { o.eps = 0.5; })
      .option(
          "momentum", [](auto& o) { o.momentum = 0.5; }, tracked)
      .option("affine", [](auto& o) { o.affine = false; })
      .option("track_running_stats", tracked)
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

template <class MaxPoolLayer, class AvgPoolLayer, int D>
void test_pools() {
  const auto stride = [](auto& o) { o.stride = 1; };
  const auto padding = [](auto& o) { o.padding = 1; };
  const auto ceil_mode = [](auto& o) { o.ceil_mode = true; };
  OptionTests<MaxPoolLayer, MaxPoolOptions>("MaxPool", {.kernel_size = 2}, input<D>(2, 5))
      .option("kernel_size", [](auto& o) { o.kernel_size = 3; })
      .option("stride", stride)
      .option("padding", padding)
      .option("dilation", [](auto& o) { o.dilation = 2; })
      .option("ceil_mode", ceil_mode);
  OptionTests<AvgPoolLayer, AvgPoolOptions>("AvgPool", {.kernel_size = 2}, input<D>(2, 5))
      .option("kernel_size", [](auto& o) { o.kernel_size = 3; })
      .option("stride", stride)
      .option("padding", padding)
      .option("ceil_mode", ceil_mode)
      .option(
          "count_include_pad", [](auto& o) { o.count_include_pad = false; }, padding);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(layer_options_test)

BOOST_AUTO_TEST_CASE(every_option_of_a_convolution_counts) {
  test_convolutions<1>();
  test_convolutions<2>();
  test_convolutions<3>();
}

BOOST_AUTO_TEST_CASE(every_option_of_a_modern_layer_and_of_a_residual_block_counts) {
  const Tensor line = input<1>(2, 8), image = input<2>(2, 6), volume = input<3>(2, 4);
  test_modern<ConvModern1d>("ConvModern1d", line);
  test_modern<ConvModern2d>("ConvModern2d", image);
  test_modern<ConvModern3d>("ConvModern3d", volume);
  test_modern<BlockPlain1d>("BlockPlain1d", line);
  test_modern<BlockPlain2d>("BlockPlain2d", image);
  test_modern<BlockPlain3d>("BlockPlain3d", volume);
  test_modern<BlockBottleneck1d>("BlockBottleneck1d", line);
  test_modern<BlockBottleneck2d>("BlockBottleneck2d", image);
  test_modern<BlockBottleneck3d>("BlockBottleneck3d", volume);
}

BOOST_AUTO_TEST_CASE(every_option_of_a_network_counts) {
  test_nets<1>();
  test_nets<2>();
  test_nets<3>();
}

BOOST_AUTO_TEST_CASE(every_option_of_a_norm_counts) {
  test_norms<1>();
  test_norms<2>();
  test_norms<3>();
  const Tensor x = random_tensor({3, 4}) * 0.1;
  OptionTests<LayerNorm, LayerNormOptions>("LayerNorm", {.normalized_shape = {4}, .dtype = DType::f64}, x)
      .option("normalized_shape",
              [](auto& o) {
                o.normalized_shape = {3, 4};
              })
      .option("eps", [](auto& o) { o.eps = 0.5; })
      .option("elementwise_affine", [](auto& o) { o.elementwise_affine = false; })
      .option("bias", [](auto& o) { o.bias = false; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<RMSNorm, RMSNormOptions>("RMSNorm", {.normalized_shape = {4}, .dtype = DType::f64}, x)
      .option("normalized_shape",
              [](auto& o) {
                o.normalized_shape = {3, 4};
              })
      .option("eps", [](auto& o) { o.eps = 0.5; })
      .option("elementwise_affine", [](auto& o) { o.elementwise_affine = false; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

BOOST_AUTO_TEST_CASE(every_option_of_pooling_padding_and_up_sampling_counts) {
  test_pools<MaxPool1d, AvgPool1d, 1>();
  test_pools<MaxPool2d, AvgPool2d, 2>();
  test_pools<MaxPool3d, AvgPool3d, 3>();
  OptionTests<ConstantPad1d, PadOptions>("ConstantPad1d", {.padding = {1}}, input<1>(2, 5))
      .option("padding",
              [](auto& o) {
                o.padding = {1, 2};
              })
      .option("value", [](auto& o) { o.value = 2; });
  const auto linear = [](auto& o) { o.mode = InterpolationMode::linear; };
  OptionTests<Upsample, UpsampleOptions>("Upsample", {.scale_factor = 2}, input<1>(2, 5))
      .option(
          "size", [](auto& o) { o.size = 7; }, [](auto& o) { o.scale_factor = Factors(); })
      .option("scale_factor", [](auto& o) { o.scale_factor = 3; })
      .option("mode", linear)
      .option(
          "align_corners", [](auto& o) { o.align_corners = true; }, linear);
}

BOOST_AUTO_TEST_CASE(every_option_of_the_other_layers_counts) {
  OptionTests<Linear, LinearOptions>("Linear", {.in_features = 4, .out_features = 2, .dtype = DType::f64},
                                     random_tensor({3, 4}))
      .option("in_features", [](auto& o) { o.in_features = 3; })
      .option("out_features", [](auto& o) { o.out_features = 3; })
      .option("bias", [](auto& o) { o.bias = false; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<PReLU, PReLUOptions>("PReLU", {.dtype = DType::f64}, random_tensor({3, 4}))
      .option("num_parameters", [](auto& o) { o.num_parameters = 4; })
      .option("init", [](auto& o) { o.init = 0.5; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
  OptionTests<Dropout, DropoutOptions>("Dropout", {}, random_tensor({3, 4})).option("p", [](auto& o) {
    o.p = 0.1;
  });
  OptionTests<Embedding, EmbeddingOptions>("Embedding",
                                           {.num_embeddings = 4, .embedding_dim = 2, .dtype = DType::f64},
                                           Tensor::arange(4, DType::i64))
      .option("num_embeddings", [](auto& o) { o.num_embeddings = 3; })
      .option("embedding_dim", [](auto& o) { o.embedding_dim = 3; })
      .option("dtype", [](auto& o) { o.dtype = DType::f32; });
}

BOOST_AUTO_TEST_SUITE_END()
