#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using namespace unit_scaled;
using test::random_tensor;
using Tensors = std::vector<Tensor>;

/// The gradient must be finite difference × declared factor; with any one factor wrong the check must fail.
void check_factors(const TensorFunction& function, const Tensors& inputs, std::vector<double> factors) {
  factors.resize(inputs.size(), 1.0);
  test::check_gradients(function, inputs, {.factors = factors});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!is_floating(inputs[i].dtype())) continue;
    std::vector<double> wrong = factors;
    wrong[i] *= 1.01;
    test::check_fault_is_caught(function, inputs, {.factors = wrong});
  }
}

const std::vector<Constraint> kUnary{
    Constraint::none,  Constraint::gmean,           Constraint::hmean,
    Constraint::amean, Constraint::to_output_scale, Constraint::to_grad_input_scale};
const std::vector<Constraint> kBinary{Constraint::none,
                                      Constraint::gmean,
                                      Constraint::hmean,
                                      Constraint::amean,
                                      Constraint::to_output_scale,
                                      Constraint::to_left_grad_scale,
                                      Constraint::to_right_grad_scale};

/// Values away from 0, where ReLU and PReLU have their kink.
Tensor away_from_zero(const Shape& shape) {
  Tensor x = random_tensor(shape);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    double& value = x.mutable_data<double>()[i];
    value += value < 0 ? -0.1 : 0.1;
  }
  return x;
}

BOOST_AUTO_TEST_SUITE(factor_test)

BOOST_AUTO_TEST_CASE(linear_maps_have_the_declared_factors) {
  const Tensors inputs{random_tensor({3, 4}), random_tensor({5, 4}), random_tensor({5})};
  for (const Constraint c : kUnary) {
    check_factors([c](const Tensors& t) { return linear(t[0], t[1], t[2], c); }, inputs,
                  linear_scales({3, 4}, {5, 4}, c).factors());
    check_factors([c](const Tensors& t) { return linear_readout(t[0], t[1], t[2], c); }, inputs,
                  linear_readout_scales({3, 4}, {5, 4}, c).factors());
  }
}

BOOST_AUTO_TEST_CASE(binary_ops_have_the_declared_factors) {
  for (const Constraint c : kBinary) {
    check_factors([c](const Tensors& t) { return matmul(t[0], t[1], c); },
                  {random_tensor({2, 3, 4}), random_tensor({2, 4, 5})},
                  matmul_scales({2, 3, 4}, {2, 4, 5}, c).factors());
    check_factors([c](const Tensors& t) { return add(t[0], t[1], c); },
                  {random_tensor({3, 4}), random_tensor({4})}, add_scales({3, 4}, {4}, c).factors());
  }
}

BOOST_AUTO_TEST_CASE(convolutions_have_the_declared_factors) {
  const ConvParameters p{.stride = 2, .padding = 1, .groups = 2};
  const ConvTransposeParameters q{.stride = 2, .padding = 1, .output_padding = 1, .groups = 2};
  for (int rank = 1; rank <= 3; ++rank) {
    Shape x{rank == 1 ? 2 : 1, 4}, weight{4, 2}, transposed{4, 2};
    for (int axis = 0; axis < rank; ++axis) {
      x = x.append(rank == 1 ? 5 : rank == 2 ? 3 : 2);
      weight = weight.append(2);
      transposed = transposed.append(2);
    }
    const Tensors inputs{random_tensor(x), random_tensor(weight), random_tensor({4})};
    for (const Constraint c : rank == 1 ? kUnary : std::vector{Constraint::none}) {
      check_factors([&](const Tensors& t) { return conv(t[0], t[1], t[2], p, c); }, inputs,
                    conv_scales(x, weight, p, c).factors());
      check_factors([&](const Tensors& t) { return conv_readout(t[0], t[1], t[2], p, c); }, inputs,
                    conv_readout_scales(x, weight, p, c).factors());
      check_factors([&](const Tensors& t) { return conv_transpose(t[0], t[1], t[2], q, c); },
                    {inputs[0], random_tensor(transposed), inputs[2]},
                    conv_transpose_scales(x, transposed, q, c).factors());
    }
  }
}

/// The published package pads twice: the values would not be those of one padding.
BOOST_AUTO_TEST_CASE(a_padding_mode_pads_once) {
  const ConvParameters p{.padding = 2};
  for (const PadMode mode : {PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    const Tensor x = random_tensor({2, 3, 7}), weight = random_tensor({4, 3, 3});
    const Tensor once = unit_scaled::conv(pad(x, {2, 2}, mode), weight);
    test::check_close(conv(x, weight, {}, p, Constraint::to_output_scale, mode), once, 1e-15);
    check_factors(
        [&](const Tensors& t) { return conv(t[0], t[1], {}, p, Constraint::none, mode); }, {x, weight},
        [&] {
          std::vector<double> all = conv_scales(x.shape(), weight.shape(), p, Constraint::none).factors();
          all.pop_back();
          return all;
        }());
  }
}

BOOST_AUTO_TEST_CASE(activations_have_the_declared_factors) {
  const Tensor x = away_from_zero({3, 4, 2});
  for (const Constraint c : kUnary) {
    check_factors([c](const Tensors& t) { return gelu(t[0], 1.5, c); }, {x}, gelu_scales(1.5, c).factors());
    check_factors([c](const Tensors& t) { return silu(t[0], 0.7, c); }, {x}, silu_scales(0.7, c).factors());
    check_factors([c](const Tensors& t) { return relu(t[0], c); }, {x}, relu_scales(c).factors());
    check_factors([c](const Tensors& t) { return softmax(t[0], 1, 2, c); }, {x},
                  softmax_scales(4, 2, c).factors());
    const Tensor slopes = Tensor::full({4}, 0.3, DType::f64);
    check_factors([c](const Tensors& t) { return prelu(t[0], t[1], 0.3, c); }, {x, slopes},
                  prelu_scales(x.shape(), slopes.shape(), 0.3, c).factors());
  }
  check_factors([](const Tensors& t) { return silu_glu(t[0], t[1], 1.5); }, {x, random_tensor({3, 4, 2})},
                silu_glu_scales(1.5).factors());
  check_factors(
      [](const Tensors& t) {
        Rng rng(4);
        return dropout(t[0], 0.4, &rng);
      },
      {x}, dropout_scales(0.4).factors());
}

BOOST_AUTO_TEST_CASE(norms_have_the_declared_factors) {
  const Tensor x = random_tensor({3, 4, 5}), weight = random_tensor({4}), bias = random_tensor({4});
  check_factors([](const Tensors& t) { return unit_scaled::batch_norm(t[0], {}, {}, t[1], t[2]); },
                {x, weight, bias}, norm_scales(x.shape(), 4).factors());
  check_factors([](const Tensors& t) { return unit_scaled::instance_norm(t[0], {}, {}, t[1], t[2]); },
                {x, weight, bias}, norm_scales(x.shape(), 4).factors());
  const Tensor w = random_tensor({5}), b = random_tensor({5});
  check_factors([](const Tensors& t) { return unit_scaled::layer_norm(t[0], {5}, t[1], t[2]); }, {x, w, b},
                norm_scales(x.shape(), 5).factors());
  check_factors([](const Tensors& t) { return unit_scaled::rms_norm(t[0], {5}, t[1]); }, {x, w},
                {1, norm_scales(x.shape(), 5).factors()[1]});
}

BOOST_AUTO_TEST_CASE(pooling_has_the_declared_factors) {
  const Tensor x = random_tensor({2, 2, 6, 6});
  const MaxPoolOptions max{.kernel_size = 3, .stride = 2};
  const AvgPoolOptions avg{.kernel_size = 3, .stride = 2};
  const InterpolateParameters up{.scale_factor = 1.5, .mode = InterpolationMode::bilinear};
  check_factors([](const Tensors& t) { return global_mean(t[0]); }, {x},
                global_mean_scales(x.shape()).factors());
  for (const Constraint c : {Constraint::none, Constraint::to_output_scale}) {
    check_factors([&](const Tensors& t) { return interpolate(t[0], up, c, 0.3); }, {x},
                  interpolate_scales(x.shape(), up, c, 0.3).factors());
    check_factors([&](const Tensors& t) { return max_pool(t[0], 2, max, c); }, {x},
                  max_pool_scales(2, max, c).factors());
    check_factors([&](const Tensors& t) { return avg_pool(t[0], 2, avg, c); }, {x},
                  avg_pool_scales(2, avg, c).factors());
    check_factors([&](const Tensors& t) { return adaptive_avg_pool(t[0], 2, 2, c); }, {x},
                  adaptive_avg_pool_scales(x.shape(), 2, 2, c).factors());
    check_factors([&](const Tensors& t) { return interpolate(t[0], up, c); }, {x},
                  interpolate_scales(x.shape(), up, c).factors());
  }
}

BOOST_AUTO_TEST_CASE(losses_and_look_up_have_the_declared_factors) {
  const Tensor x = random_tensor({4, 5}), target = random_tensor({4, 5});
  const Tensor labels = Tensor::from(std::vector<std::int64_t>{1, 0, 4, 1}, {4});
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    const unit_scaled::CrossEntropyOptions options{
        .mult = 1.5, .ignore_index = 0, .label_smoothing = 0.2, .reduction = reduction};
    check_factors([&](const Tensors& t) { return unit_scaled::cross_entropy(t[0], t[1], options); },
                  {x, labels}, cross_entropy_scales(5, 3, options).factors());
    check_factors([&](const Tensors& t) { return unit_scaled::mse_loss(t[0], t[1], reduction); }, {x, target},
                  mse_loss_scales(20, reduction).factors());
  }
  const Tensor weight = random_tensor({5, 3});
  check_factors([&](const Tensors& t) { return unit_scaled::embedding(labels, t[0]); }, {weight},
                embedding_scales(labels.shape(), weight.shape()).factors());
}

BOOST_AUTO_TEST_CASE(a_residual_connection_has_the_true_gradient) {
  for (const double tau : {0.5, 1.0, 3.0})
    check_factors(
        [tau](const Tensors& t) {
          return residual_apply([](const Tensor& v) { return tanh(v); }, t[0], tau);
        },
        {random_tensor({3, 4})}, {1});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
