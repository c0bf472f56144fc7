#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/storage.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/sequential.h>
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

/// Value and gradients of two layers, by Sequential and one by one.
template <class Norm, class Activation>
void check_pair(Norm norm, Activation activation, const Shape& shape, bool fused) {
  Sequential both(std::move(norm), std::move(activation));
  const std::vector<NamedModule> layers = both.children();
  Tensor x = random_tensor(shape).to(DType::f32).set_requires_grad();
  const Tensor gy = random_tensor(shape).to(DType::f32);
  std::vector<Tensor> leaves{x};
  for (const Parameter& parameter : both.parameters()) leaves.push_back(parameter);
  BOOST_TEST((*layers[0].module).call_with(x, *layers[1].module).defined() == fused);
  const Tensor y = both(x), expected = (*layers[1].module)((*layers[0].module)(x));
  check_close(y, expected, 1e-6);
  const auto got = grad({y}, leaves, {gy}), want = grad({expected}, leaves, {gy});
  for (std::size_t i = 0; i < leaves.size(); ++i) check_close(got[i], want[i], 1e-5);
}

/// A norm of the user's own.
class Doubled : public BatchNorm1d {
 public:
  using BatchNorm1d::BatchNorm1d;
  Tensor forward(const Tensor& x) override { return 2 * BatchNorm1d::forward(x); }
};

class CountsLayers : public ModuleObserver {
 public:
  void on_enter(Module&, const Tensor&) override { ++count; }
  void on_exit(Module&, const Tensor&, const Tensor&) override {}
  int count = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(norm_test)

BOOST_AUTO_TEST_CASE(norm_layers_agree_with_pytorch) {
  int count = 0;
  for (const GoldenCase& golden : read_golden("ops.h5")) {
    if (golden.op.find("_norm") == std::string::npos) continue;
    check_layer(golden);
    ++count;
  }
  BOOST_TEST(count == 77);
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

BOOST_AUTO_TEST_CASE(sequential_runs_a_norm_and_its_activation_in_one_pass_with_the_same_results) {
  const BatchNormOptions batch{.num_features = 3};
  const InstanceNormOptions instance{.num_features = 3, .affine = true};
  check_pair(BatchNorm1d(batch), ReLU(), {4, 3, 9}, true);
  check_pair(BatchNorm1d(batch), ReLU(), {4, 3}, true);
  check_pair(BatchNorm2d(batch), PReLU({.num_parameters = 3}), {2, 3, 4, 5}, true);
  check_pair(InstanceNorm1d(instance), PReLU(), {2, 3, 50}, true);
  check_pair(InstanceNorm3d({.num_features = 3}), ReLU(), {2, 3, 2, 3, 2}, true);
  check_pair(InstanceNorm1d(instance), GELU(), {2, 3, 50}, false);
  check_pair(InstanceNorm1d(instance), PReLU(), {3, 50}, false);
  check_pair(Doubled(batch), ReLU(), {4, 3, 9}, false);
}

BOOST_AUTO_TEST_CASE(an_observer_sees_a_norm_and_its_activation_each_by_itself) {
  Sequential both(BatchNorm1d({.num_features = 3}), ReLU());
  CountsLayers counts;
  ModuleObserver* before = set_module_observer(&counts);
  both(random_tensor({4, 3, 9}).to(DType::f32));
  set_module_observer(before);
  BOOST_TEST(counts.count == 3);
}

BOOST_AUTO_TEST_CASE(a_norm_with_its_activation_keeps_no_tensor_between_them) {
  const Tensor x = Tensor::zeros({8, 4, 4096}).set_requires_grad();
  const std::size_t bytes = std::size_t(x.numel()) * sizeof(float);
  Sequential both(InstanceNorm1d({.num_features = 4}), PReLU());
  const std::size_t before = memory_stats().in_use;
  const Tensor y = both(x);
  BOOST_TEST(memory_stats().in_use - before < bytes + bytes / 2);
}

BOOST_AUTO_TEST_SUITE_END()
