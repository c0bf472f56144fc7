#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>
#include <evenkeel/nn/unit_scaled/layers.h>

#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {
namespace {

using namespace unit_scaled;
using test::random_tensor;

/// Whether two layers that differ in one option differ in output or input gradient.
bool differ(nn::Module& a, nn::Module& b, const Tensor& x) {
  for (std::size_t i = 0; i < a.parameters().size(); ++i)
    if (a.parameters()[i].tensor().shape() == b.parameters()[i].tensor().shape())
      Tensor(b.parameters()[i].tensor()).copy_(a.parameters()[i]);
  std::vector<Tensor> outputs, gradients;
  for (nn::Module* layer : {&a, &b}) {
    const Tensor leaf = x.clone().set_requires_grad();
    const Tensor y = (*layer)(leaf);
    y.backward(reshape(sigmoid(Tensor::arange(y.numel(), y.dtype()) - 3), y.shape()));
    outputs.push_back(y.detach());
    gradients.push_back(leaf.grad());
  }
  return test::relative_difference(outputs[0], outputs[1]) > 1e-6 ||
         test::relative_difference(gradients[0], gradients[1]) > 1e-6;
}

template <class Layer, class Options>
void check_constraint(Options options, const Tensor& x) {
  Rng rng(1);
  options.dtype = DType::f64;
  options.constraint = Constraint::to_output_scale;
  Layer tied(options, rng);
  for (const Constraint constraint : {Constraint::none, Constraint::gmean, Constraint::hmean,
                                      Constraint::amean, Constraint::to_grad_input_scale}) {
    options.constraint = constraint;
    Layer other(options, rng);
    BOOST_TEST(differ(tied, other, x), tied.type_name() << " ignores " << name(constraint));
    for (const nn::Parameter& parameter : other.parameters())
      BOOST_TEST(parameter.constraint() == name(constraint));
  }
}

BOOST_AUTO_TEST_SUITE(options_test)

/// The published package's Conv1d does not.
BOOST_AUTO_TEST_CASE(every_layer_uses_its_constraint) {
  const ConvOptions conv{.in_channels = 2, .out_channels = 6, .kernel_size = 3, .padding = 1};
  check_constraint<Conv1d>(conv, random_tensor({2, 2, 7}));
  check_constraint<Conv2d>(conv, random_tensor({2, 2, 5, 5}));
  check_constraint<Conv3d>(conv, random_tensor({1, 2, 3, 3, 3}));
  check_constraint<ConvReadout1d>(ConvReadoutOptions{.in_channels = 2, .out_channels = 6, .kernel_size = 3},
                                  random_tensor({2, 2, 7}));
  check_constraint<DepthWiseConv1d>(
      DepthWiseConvOptions{.in_channels = 2, .out_channels = 6, .kernel_size = 3, .stride = 2},
      random_tensor({2, 2, 7}));
  check_constraint<ConvTranspose1d>(
      ConvTransposeOptions{.in_channels = 2, .out_channels = 6, .kernel_size = 3}, random_tensor({2, 2, 7}));
  check_constraint<Linear>(LinearOptions{.in_features = 3, .out_features = 7}, random_tensor({4, 3}));
  check_constraint<LinearReadout>(LinearReadoutOptions{.in_features = 3, .out_features = 7},
                                  random_tensor({4, 3}));
  const Tensor x = random_tensor({2, 3, 8});
  const auto none = Constraint::none, tied = Constraint::to_output_scale;
  Rng rng(1);
  const auto check = [&](auto a, auto b) { BOOST_TEST(differ(a, b, x), a.type_name()); };
  check(GELU({.constraint = none}), GELU({.constraint = tied}));
  check(SiLU({.constraint = none}), SiLU({.constraint = tied}));
  check(ReLU(none), ReLU(tied));
  check(PReLU({.constraint = none, .dtype = DType::f64}), PReLU({.constraint = tied, .dtype = DType::f64}));
  check(Softmax(1, {.mult = 2, .constraint = none}), Softmax(1, {.mult = 2, .constraint = tied}));
  check(MaxPool1d({.kernel_size = 3}, none), MaxPool1d({.kernel_size = 3}, tied));
  check(AvgPool1d({.kernel_size = 2}, none), AvgPool1d({.kernel_size = 2}, tied));
  check(AdaptiveAvgPool1d(2, none), AdaptiveAvgPool1d(2, tied));
  check(Upsample({.scale_factor = 2}, none), Upsample({.scale_factor = 2}, tied));
}

BOOST_AUTO_TEST_CASE(every_other_option_changes_what_a_layer_computes) {
  const Tensor x = random_tensor({2, 4, 12});
  Rng rng(1);
  const auto check = [&](auto a, auto b) { BOOST_TEST(differ(a, b, x), a.type_name() << a.extra_repr()); };
  const ConvOptions plain{
      .in_channels = 4, .out_channels = 4, .kernel_size = 3, .padding = 2, .dtype = DType::f64};
  const auto check_conv = [&](auto change) {
    ConvOptions changed = plain;
    change(changed);
    check(Conv1d(plain, rng), Conv1d(changed, rng));
  };
  check_conv([](ConvOptions& o) { o.kernel_size = 2; });
  check_conv([](ConvOptions& o) { o.stride = 2; });
  check_conv([](ConvOptions& o) { o.padding = 1; });
  check_conv([](ConvOptions& o) { o.padding = "same"; });
  check_conv([](ConvOptions& o) { o.padding = "valid"; });
  check_conv([](ConvOptions& o) { o.dilation = 2; });
  check_conv([](ConvOptions& o) { o.groups = 2; });
  for (const PadMode mode : {PadMode::reflect, PadMode::replicate, PadMode::circular})
    check_conv([&](ConvOptions& o) { o.padding_mode = mode; });
  const ConvTransposeOptions up{
      .in_channels = 4, .out_channels = 4, .kernel_size = 3, .stride = 2, .dtype = DType::f64};
  const auto check_up = [&](auto change) {
    ConvTransposeOptions changed = up;
    change(changed);
    check(ConvTranspose1d(up, rng), ConvTranspose1d(changed, rng));
  };
  check_up([](ConvTransposeOptions& o) { o.kernel_size = 2; });
  check_up([](ConvTransposeOptions& o) { o.stride = 1; });
  check_up([](ConvTransposeOptions& o) { o.padding = 1; });
  check_up([](ConvTransposeOptions& o) { o.output_padding = 1; });
  check_up([](ConvTransposeOptions& o) { o.dilation = 2; });
  check_up([](ConvTransposeOptions& o) { o.groups = 2; });
  check(GELU({.mult = 1}), GELU({.mult = 2}));
  check(GELU(), GELU({.approximate = GeluApproximation::tanh}));
  check(SiLU({.mult = 1}), SiLU({.mult = 2}));
  check(Softmax(1, {.mult = 1}), Softmax(1, {.mult = 2}));
  check(Softmax(1), Softmax(2));
  check(PReLU({.init = 0.1, .dtype = DType::f64}), PReLU({.init = 0.2, .dtype = DType::f64}));
  check(InstanceNorm1d({.num_features = 4}), InstanceNorm1d({.num_features = 4, .eps = 1e-2}));
  check(BatchNorm1d({.num_features = 4, .dtype = DType::f64}),
        BatchNorm1d({.num_features = 4, .eps = 1e-2, .dtype = DType::f64}));
  check(LayerNorm({.normalized_shape = {12}}), LayerNorm({.normalized_shape = {12}, .eps = 1e-2}));
  check(RMSNorm({.normalized_shape = {12}}), RMSNorm({.normalized_shape = {4, 12}}));
}

/// An even kernel's extra cell goes behind.
BOOST_AUTO_TEST_CASE(same_padding_pads_as_numbers_do_in_every_mode) {
  Rng rng(1);
  const Tensor x = random_tensor({2, 4, 9});
  const auto padded = [&](const nn::ConvPadding& padding, std::int64_t kernel, PadMode mode) {
    return Conv1d({.in_channels = 4,
                   .out_channels = 4,
                   .kernel_size = kernel,
                   .padding = padding,
                   .padding_mode = mode,
                   .dtype = DType::f64},
                  rng);
  };
  for (const PadMode mode : {PadMode::zeros, PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    Conv1d same = padded("same", 3, mode), one = padded(1, 3, mode);
    BOOST_TEST(!differ(same, one, x));
    Conv1d valid = padded("valid", 3, mode), none = padded(0, 3, mode);
    BOOST_TEST(!differ(valid, none, x));
    Conv1d even = padded("same", 4, mode);
    test::check_close(even(x).detach(), unit_scaled::conv(pad(x, {1, 2}, mode), even.weight()).detach(),
                      1e-12);
  }
  const Conv2d printed({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .padding = "same"}, rng);
  BOOST_TEST(printed.str().find("padding=same") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(weights_start_normal_and_biases_at_zero) {
  Rng rng(1);
  const Conv1d conv({.in_channels = 32, .out_channels = 64, .kernel_size = 5, .bias = true}, rng);
  const Tensor weight = conv.weight().tensor().detach();
  BOOST_TEST(std::abs(std::sqrt(mean(weight * weight).item()) - 1) < 0.05);
  BOOST_TEST(mean(abs(conv.bias().tensor().detach())).item() == 0);
  BOOST_TEST((conv.weight().mup_type() == MupType::weight && conv.bias().mup_type() == MupType::bias));
  BOOST_TEST(!Conv1d({.in_channels = 2, .out_channels = 2, .kernel_size = 3}, rng).bias().defined());
}

/// The published package replaces them by numbers and then fails.
BOOST_AUTO_TEST_CASE(per_axis_options_are_printed) {
  Rng rng(1);
  const Conv2d conv(
      {.in_channels = 1, .out_channels = 2, .kernel_size = {3, 5}, .stride = {1, 2}, .padding = {1, 2}}, rng);
  BOOST_TEST(conv.str() ==
             "Conv2d(1, 2, kernel_size=[3, 5], stride=[1, 2], padding=[1, 2], bias=false, "
             "constraint=to_output_scale)");
}

BOOST_AUTO_TEST_CASE(dropout_drops_in_training_and_scales_in_both) {
  Rng rng(1);
  Dropout layer({.p = 0.36}, rng);
  const Tensor x = Tensor::ones({1000}, DType::f64);
  layer.eval();
  test::check_close(layer(x), Tensor::full({1000}, 0.8, DType::f64), 1e-15);
  layer.train();
  const double kept = mean(layer(x)).item() / 1.25;
  BOOST_TEST(std::abs(kept - 0.64) < 0.06);
}

BOOST_AUTO_TEST_CASE(impossible_options_are_refused) {
  Rng rng(1);
  BOOST_CHECK_THROW(Linear({.in_features = 0, .out_features = 1}, rng), ConfigError);
  BOOST_CHECK_THROW(Conv1d({.in_channels = 3, .out_channels = 4, .kernel_size = 3, .groups = 2}, rng),
                    ConfigError);
  BOOST_CHECK_THROW(Conv2d({.in_channels = 3, .out_channels = 4, .kernel_size = {3, 3, 3}}, rng),
                    ConfigError);
  BOOST_CHECK_THROW(
      Conv1d({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .stride = 2, .padding = "same"}, rng),
      ConfigError);
  BOOST_CHECK_THROW(ConvTranspose1d({.in_channels = 3, .out_channels = 4, .kernel_size = 0}, rng),
                    ConfigError);
  BOOST_CHECK_THROW(Dropout({.p = 1}, rng), ConfigError);
  BOOST_CHECK_THROW(PReLU({.num_parameters = 0}), ConfigError);
  BOOST_CHECK_THROW(BatchNorm1d({.num_features = 0}), ConfigError);
  BOOST_CHECK_THROW(LayerNorm({}), ConfigError);
  BOOST_CHECK_THROW(MaxPool1d({.kernel_size = 0}), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
