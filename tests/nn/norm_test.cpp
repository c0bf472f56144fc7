#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/norm.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

namespace {

Tensor buffer(Module& module, const std::string& wanted) {
  for (const auto& [name, tensor, kind] : module.named_buffers())
    if (name == wanted) return tensor;
  return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(norm_test)

BOOST_AUTO_TEST_CASE(norm_layers_agree_with_pytorch) {
  int count = 0;
  for (const GoldenCase& golden : read_golden("ops.h5")) {
    if (golden.op.find("_norm") == std::string::npos) continue;
    check_layer(golden);
    ++count;
  }
  BOOST_TEST(count == 71);
}

BOOST_AUTO_TEST_CASE(batch_norm_options_change_result_and_state) {
  const Tensor x = random_tensor({4, 2, 5}) * 3 + 1;
  const auto evaluated = [&](const BatchNormOptions& options) {
    BatchNorm1d layer(options);
    layer(x);
    layer.eval();
    return layer(x).detach();
  };
  const BatchNormOptions base{.num_features = 2, .dtype = DType::f64};
  const auto with = [&](auto change) {
    BatchNormOptions options = base;
    change(options);
    return evaluated(options);
  };
  const Tensor usual = evaluated(base);
  BOOST_TEST(relative_difference(with([](auto& o) { o.eps = 0.5; }), usual) > 1e-3);
  BOOST_TEST(relative_difference(with([](auto& o) { o.momentum = 0.5; }), usual) > 1e-3);
  BOOST_TEST(relative_difference(with([](auto& o) { o.track_running_stats = false; }), usual) > 1e-3);
  BOOST_TEST(BatchNorm1d({.num_features = 2, .affine = false}).named_parameters().empty());
  BOOST_TEST(BatchNorm1d({.num_features = 2, .track_running_stats = false}).named_buffers().empty());
  BOOST_CHECK(evaluated(base).dtype() == DType::f64);
}

BOOST_AUTO_TEST_CASE(batch_norm_counts_batches_and_averages_them_without_momentum) {
  BatchNorm2d layer({.num_features = 2, .momentum = {}, .dtype = DType::f64});
  Tensor total = Tensor::zeros({2}, DType::f64);
  for (int step = 1; step <= 3; ++step) {
    const Tensor x = random_tensor({3, 2, 2, 2});
    layer(x);
    total = total + mean(x, {0, 2, 3});
    check_close(buffer(layer, "running_mean"), total / step, 1e-14);
  }
  BOOST_TEST(buffer(layer, "num_batches_tracked").item() == 3);
  BOOST_TEST(buffer(layer, "num_batches_tracked").rank() == 0);
  layer.eval();
  layer(random_tensor({3, 2, 2, 2}));
  BOOST_TEST(buffer(layer, "num_batches_tracked").item() == 3);
  layer.train();
  BOOST_CHECK_THROW(layer(random_tensor({1, 2, 1, 1})), ShapeError);
  BOOST_TEST(buffer(layer, "num_batches_tracked").item() == 3);
}

BOOST_AUTO_TEST_CASE(instance_norm_options_change_result_and_state) {
  const Tensor x = random_tensor({2, 3, 6}) * 2 + 1;
  const auto evaluated = [&](const InstanceNormOptions& options) {
    InstanceNorm1d layer(options);
    layer(x);
    layer.eval();
    return layer(x).detach();
  };
  const Tensor usual = evaluated({.num_features = 3, .dtype = DType::f64});
  const Tensor tracked = evaluated({.num_features = 3, .track_running_stats = true, .dtype = DType::f64});
  BOOST_TEST(relative_difference(tracked, usual) > 1e-3);
  BOOST_TEST(
      relative_difference(
          evaluated({.num_features = 3, .momentum = 0.7, .track_running_stats = true, .dtype = DType::f64}),
          tracked) > 1e-3);
  BOOST_TEST(relative_difference(evaluated({.num_features = 3, .eps = 0.5, .dtype = DType::f64}), usual) >
             1e-3);
  BOOST_TEST(InstanceNorm1d({.num_features = 3, .affine = true}).named_parameters().size() == 2u);
  BOOST_TEST(InstanceNorm1d({.num_features = 3}).named_parameters().empty());
}

BOOST_AUTO_TEST_CASE(instance_norm_takes_one_item_without_a_batch) {
  InstanceNorm2d layer({.num_features = 2, .dtype = DType::f64});
  const Tensor x = random_tensor({2, 3, 4});
  check_close(layer(x), reshape(layer(reshape(x, {1, 2, 3, 4})), {2, 3, 4}), 0);
}

BOOST_AUTO_TEST_CASE(layer_and_rms_norm_use_every_option) {
  const Tensor x = random_tensor({3, 4}) * 0.1;
  const LayerNormOptions base{.normalized_shape = {4}, .dtype = DType::f64};
  LayerNorm usual(base), wide({.normalized_shape = {3, 4}, .dtype = DType::f64}),
      soft({.normalized_shape = {4}, .eps = 0.5, .dtype = DType::f64});
  BOOST_TEST(relative_difference(wide(x), usual(x)) > 1e-3);
  BOOST_TEST(relative_difference(soft(x), usual(x)) > 1e-3);
  BOOST_TEST(usual.named_parameters().size() == 2u);
  BOOST_TEST(LayerNorm({.normalized_shape = {4}, .bias = false}).named_parameters().size() == 1u);
  BOOST_TEST(LayerNorm({.normalized_shape = {4}, .elementwise_affine = false}).named_parameters().empty());
  RMSNorm rms({.normalized_shape = {4}, .dtype = DType::f64}),
      soft_rms({.normalized_shape = {4}, .eps = 0.5, .dtype = DType::f64});
  BOOST_TEST(relative_difference(soft_rms(x), rms(x)) > 1e-3);
  BOOST_TEST(rms.named_parameters().size() == 1u);
  BOOST_TEST(RMSNorm({.normalized_shape = {4}, .elementwise_affine = false}).named_parameters().empty());
  check_gradients_twice([&](const std::vector<Tensor>& t) { return rms(usual(t[0])); }, {x});
}

BOOST_AUTO_TEST_CASE(invalid_options_and_inputs_are_refused) {
  BOOST_CHECK_THROW(BatchNorm1d({.num_features = 0}), ConfigError);
  BOOST_CHECK_THROW(BatchNorm1d({.num_features = 2, .eps = 0}), ConfigError);
  BOOST_CHECK_THROW(BatchNorm1d({.num_features = 2, .momentum = 1.5}), ConfigError);
  BOOST_CHECK_THROW(BatchNorm1d({.num_features = 2, .dtype = DType::i64}), ConfigError);
  BOOST_CHECK_THROW(InstanceNorm2d({.num_features = -1}), ConfigError);
  BOOST_CHECK_THROW(InstanceNorm2d({.num_features = 2, .momentum = -0.1}), ConfigError);
  BOOST_CHECK_THROW(LayerNorm({.normalized_shape = Shape{}}), ConfigError);
  BOOST_CHECK_THROW(RMSNorm({.normalized_shape = {0}}), ConfigError);
  BOOST_CHECK_THROW(RMSNorm({.normalized_shape = {2}, .eps = -1.0}), ConfigError);
  BatchNorm2d flat({.num_features = 3});
  BOOST_CHECK_THROW(flat(Tensor::zeros({2, 3, 4})), ShapeError);
  BOOST_CHECK_THROW(flat(Tensor::zeros({2, 4, 4, 4})), ShapeError);
  InstanceNorm1d line({.num_features = 3});
  BOOST_CHECK_THROW(line(Tensor::zeros({2, 4, 4})), ShapeError);
  BOOST_CHECK_THROW(line(Tensor::zeros({2, 3, 1})), ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
