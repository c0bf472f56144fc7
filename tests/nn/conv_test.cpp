#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/functional.h>
#include <evenkeel/nn/init.h>
#include <evenkeel/nn/separable_conv.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

namespace {

/// Output of a fresh layer on a fixed input: equal options give equal numbers.
Tensor output_of(const ConvOptions& options, const Tensor& x) {
  Rng rng(4);
  return Conv1d(options, rng)(x).detach();
}

bool says(const Error& error, const std::string& part) {
  return std::string(error.what()).find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conv_test)

BOOST_AUTO_TEST_CASE(convolutions_agree_with_pytorch) {
  std::map<std::string, int> count;
  for (const GoldenCase& golden : read_golden("conv_layers.h5")) {
    if (golden.op.find("onv") == std::string::npos) continue;
    check_layer(golden);
    ++count[golden.op];
  }
  for (const char* rank : {"1d", "2d", "3d"}) {
    BOOST_TEST(count[std::string("conv") + rank] == 72);
    BOOST_TEST(count[std::string("conv_transpose") + rank] == 66);
    BOOST_TEST(count[std::string("DepthWiseConv") + rank] == 60);
    BOOST_TEST(count[std::string("PointwiseConv") + rank] == 96);
  }
}

BOOST_AUTO_TEST_CASE(every_option_changes_the_result) {
  const Tensor x = random_tensor({2, 4, 9});
  const ConvOptions base{.in_channels = 4, .out_channels = 4, .kernel_size = 3, .dtype = DType::f64};
  const auto with = [&](auto change) {
    ConvOptions options = base;
    change(options);
    return options;
  };
  const std::vector<std::pair<const char*, ConvOptions>> changes{
      {"out_channels", with([](ConvOptions& o) { o.out_channels = 8; })},
      {"kernel_size", with([](ConvOptions& o) { o.kernel_size = 5; })},
      {"stride", with([](ConvOptions& o) { o.stride = 2; })},
      {"padding", with([](ConvOptions& o) { o.padding = 1; })},
      {"padding same", with([](ConvOptions& o) { o.padding = "same"; })},
      {"dilation", with([](ConvOptions& o) { o.dilation = 2; })},
      {"groups", with([](ConvOptions& o) { o.groups = 2; })},
      {"bias", with([](ConvOptions& o) { o.bias = false; })},
  };
  for (const auto& [what, options] : changes)
    BOOST_TEST(relative_difference(output_of(options, x), output_of(base, x)) > 1e-3, what);
  std::vector<Tensor> padded;
  for (const PadMode mode : {PadMode::zeros, PadMode::reflect, PadMode::replicate, PadMode::circular})
    padded.push_back(output_of(with([&](ConvOptions& o) {
                                 o.padding = 2;
                                 o.padding_mode = mode;
                               }),
                               x));
  for (std::size_t i = 0; i < padded.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) BOOST_TEST(relative_difference(padded[i], padded[j]) > 1e-3);
  check_close(output_of(with([](ConvOptions& o) { o.padding = "valid"; }), x), output_of(base, x), 0);
  BOOST_CHECK(output_of(base, x).dtype() == DType::f64);
}

/// A layer's sums are f32 anyway where f32 is asked for; f64's would lose (refusal_test).
BOOST_AUTO_TEST_CASE(compute_mode_float32_is_what_an_f32_layer_does) {
  Rng rng(1);
  const Tensor x = random_tensor({2, 4, 9}).to(DType::f32);
  ConvOptions options{.in_channels = 4, .out_channels = 3, .kernel_size = 3};
  const Tensor usual = output_of(options, x);
  options.compute_mode = ComputeMode::float32;
  check_close(output_of(options, x), usual, 0);
  BOOST_TEST(Conv1d(options, rng).str() == "Conv1d(4, 3, kernel_size=3, stride=1, compute_mode=float32)");
}

BOOST_AUTO_TEST_CASE(functions_take_pytorchs_arguments_and_do_what_the_layers_do) {
  namespace F = nn::functional;
  Rng rng(3);
  const auto compare = [&]<int D>(auto conv_function, auto transpose_function) {
    Shape shape{2, 4};
    for (int axis = 0; axis < D; ++axis) shape = shape.append(6 + axis);
    const Tensor x = random_tensor(shape);
    Conv<D> layer({.in_channels = 4,
                   .out_channels = 6,
                   .kernel_size = 3,
                   .stride = 2,
                   .padding = 1,
                   .dilation = 2,
                   .groups = 2,
                   .dtype = DType::f64},
                  rng);
    check_close(conv_function(x, layer.weight(), layer.bias(), 2, 1, 2, 2), layer(x), 0);
    Conv<D> same(
        {.in_channels = 4, .out_channels = 6, .kernel_size = 4, .padding = "same", .dtype = DType::f64}, rng);
    check_close(conv_function(x, same.weight(), same.bias(), 1, "same", 1, 1), same(x), 0);
    ConvTranspose<D> back({.in_channels = 4,
                           .out_channels = 6,
                           .kernel_size = 3,
                           .stride = 3,
                           .padding = 1,
                           .output_padding = 2,
                           .groups = 2,
                           .dilation = 2,
                           .dtype = DType::f64},
                          rng);
    check_close(transpose_function(x, back.weight(), back.bias(), 3, 1, 2, 2, 2), back(x), 0);
    BOOST_CHECK_THROW(conv_function(x, layer.weight(), layer.bias(), 2, "same", 1, 2), ConfigError);
    BOOST_CHECK_THROW(conv_function(x, layer.bias(), {}, 1, 0, 1, 1), ShapeError);
    BOOST_CHECK_THROW(transpose_function(layer.bias(), back.weight(), {}, 1, 0, 0, 1, 1), ShapeError);
  };
  compare.operator()<1>(F::conv1d, F::conv_transpose1d);
  compare.operator()<2>(F::conv2d, F::conv_transpose2d);
  compare.operator()<3>(F::conv3d, F::conv_transpose3d);
}

BOOST_AUTO_TEST_CASE(separable_layers_use_every_option) {
  Rng rng(2);
  const Tensor x = random_tensor({2, 3, 8});
  const auto depth = [&](const DepthWiseConvOptions& options) {
    return DepthWiseConv1d(options, rng)(x).shape().str();
  };
  BOOST_TEST(depth({.in_channels = 3, .out_channels = 6, .kernel_size = 3, .dtype = DType::f64}) ==
             "[2, 6, 6]");
  BOOST_TEST(
      depth({.in_channels = 3, .out_channels = 3, .kernel_size = 5, .padding = 1, .dtype = DType::f64}) ==
      "[2, 3, 6]");
  const auto point = [&](const PointwiseConvOptions& options) {
    return PointwiseConv1d(options, rng)(x).shape().str();
  };
  BOOST_TEST(point({.in_channels = 3, .out_channels = 5, .dtype = DType::f64}) == "[2, 5, 8]");
  BOOST_TEST(point({.in_channels = 3, .out_channels = 5, .stride = 2, .dtype = DType::f64}) == "[2, 5, 4]");
  BOOST_TEST(
      point({.in_channels = 3, .out_channels = 5, .padding = 2, .kernel_size = 3, .dtype = DType::f64}) ==
      "[2, 5, 10]");
  PointwiseConv2d flat({.in_channels = 3, .out_channels = 5, .bias = false}, rng);
  BOOST_TEST(flat.named_parameters().size() == 1u);
  BOOST_TEST(flat.named_parameters()[0].name == "conv.weight");
  DepthWiseConv3d deep({.in_channels = 2, .out_channels = 4, .kernel_size = {3, 1, 3}, .padding = "same"},
                       rng);
  BOOST_TEST(deep(Tensor::zeros({1, 2, 3, 4, 5})).shape().str() == "[1, 4, 3, 4, 5]");
  BOOST_TEST(deep.conv().weight().tensor().shape().str() == "[4, 1, 3, 1, 3]");
}

BOOST_AUTO_TEST_CASE(per_axis_options_follow_the_shape_formula) {
  Rng rng(2);
  Conv3d layer({.in_channels = 2,
                .out_channels = 3,
                .kernel_size = {3, 1, 2},
                .stride = {2, 1, 3},
                .padding = {1, 0, 2},
                .dilation = {1, 1, 2}},
               rng);
  BOOST_TEST(layer(Tensor::zeros({4, 2, 5, 6, 7})).shape().str() == "[4, 3, 3, 6, 3]");
  BOOST_TEST(layer(Tensor::zeros({2, 5, 6, 7})).shape().str() == "[3, 3, 6, 3]");
}

BOOST_AUTO_TEST_CASE(parameters_start_within_the_bound) {
  Rng rng(5);
  const double bound = std::sqrt(4.0 / (8 * 5));
  Conv1d layer({.in_channels = 8, .out_channels = 64, .kernel_size = 5, .groups = 4}, rng);
  ConvTranspose1d back({.in_channels = 64, .out_channels = 8, .kernel_size = 5, .groups = 4}, rng);
  for (const Tensor& parameter : {layer.weight().tensor(), layer.bias().tensor(), back.weight().tensor()}) {
    double largest = 0;
    for (const float value : parameter.to_vector<float>())
      largest = std::max(largest, std::abs(double(value)));
    BOOST_TEST(largest <= bound);
    BOOST_TEST(largest > 0.9 * bound);
  }
  init::megengine_(layer.weight(), layer.bias(), rng);
  BOOST_TEST(mean(layer.weight().tensor() * layer.weight().tensor()).item() == 0.1,
             boost::test_tools::tolerance(0.15));
  BOOST_TEST(sum(abs(layer.bias().tensor())).item() == 0);
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused_when_the_layer_is_made) {
  Rng rng(1);
  const auto refuses = [&](const ConvOptions& options, const std::string& part) {
    BOOST_CHECK_EXCEPTION(Conv1d(options, rng), ConfigError, [&](const Error& e) { return says(e, part); });
  };
  refuses({.in_channels = 0, .out_channels = 2, .kernel_size = 3},
          "in_channels, out_channels and groups of at least 1");
  refuses({.in_channels = 4, .out_channels = 6, .kernel_size = 3, .groups = 4},
          "out_channels divisible by groups 4, got 6; 4 or 8 would do");
  refuses({.in_channels = 2, .out_channels = 8, .kernel_size = 3, .groups = 4}, "in_channels divisible");
  refuses({.in_channels = 2, .out_channels = 2}, "kernel_size as one number or one for each of the 1 axes");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = {3, 3}}, "kernel_size");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 0}, "kernel_size of at least 1");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .stride = 0}, "stride of at least 1");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .padding = -1}, "padding of at least 0");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .dilation = 0}, "dilation of at least 1");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .stride = 2, .padding = "same"},
          "stride 1 with padding \"same\"");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .conv_mode = ConvMode::convolution},
          "conv_mode cross_correlation");
  refuses({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .dtype = DType::i64}, "dtype f32 or f64");
  BOOST_CHECK_THROW(ConvPadding("full"), ConfigError);
  BOOST_CHECK_EXCEPTION(DepthWiseConv1d({.in_channels = 16, .out_channels = 33, .kernel_size = 3}, rng),
                        ConfigError, [](const Error& e) {
                          return says(e, "[DepthWiseConv1d]") &&
                                 says(e, "groups 16, got 33; 32 or 48 would do");
                        });
  BOOST_CHECK_THROW(
      ConvTranspose1d({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .output_padding = 1}, rng),
      ConfigError);
  BOOST_CHECK_THROW(
      ConvTranspose2d({.in_channels = 2, .out_channels = 3, .kernel_size = 3, .groups = 2}, rng),
      ConfigError);
}

BOOST_AUTO_TEST_CASE(inputs_that_do_not_fit_are_refused_with_both_shapes) {
  Rng rng(1);
  Conv2d layer(
      {.in_channels = 3, .out_channels = 4, .kernel_size = 3, .padding = 2, .padding_mode = PadMode::reflect},
      rng);
  BOOST_CHECK_THROW(layer(Tensor::zeros({1, 3, 2, 5})), ShapeError);
  BOOST_CHECK_EXCEPTION(layer(Tensor::zeros({1, 2, 5, 5})), ShapeError,
                        [](const Error& e) { return says(e, "weight [4, 3, 3, 3]"); });
  BOOST_CHECK_THROW(layer(Tensor::zeros({3, 5})), ShapeError);
  BOOST_CHECK_THROW(layer(Tensor::zeros({1, 3, 5, 5}, DType::f64)), DTypeError);
  Conv1d wrapped({.in_channels = 1,
                  .out_channels = 1,
                  .kernel_size = 1,
                  .padding = 4,
                  .padding_mode = PadMode::circular},
                 rng);
  BOOST_CHECK_THROW(wrapped(Tensor::zeros({1, 1, 3})), ShapeError);
  BOOST_TEST(wrapped(Tensor::zeros({1, 1, 4})).dim(2) == 12);
  Conv1d narrow({.in_channels = 1, .out_channels = 1, .kernel_size = 5}, rng);
  BOOST_CHECK_THROW(narrow(Tensor::zeros({1, 1, 4})), ShapeError);
}

BOOST_AUTO_TEST_CASE(layers_print_as_in_pytorch) {
  Rng rng(1);
  BOOST_TEST(Conv1d({.in_channels = 16, .out_channels = 33, .kernel_size = 3, .stride = 2}, rng).str() ==
             "Conv1d(16, 33, kernel_size=3, stride=2)");
  BOOST_TEST(Conv2d({.in_channels = 2,
                     .out_channels = 2,
                     .kernel_size = {3, 1},
                     .padding = "same",
                     .groups = 2,
                     .bias = false},
                    rng)
                 .str() == "Conv2d(2, 2, kernel_size=[3, 1], stride=1, padding=same, groups=2, bias=false)");
}

BOOST_AUTO_TEST_SUITE_END()
