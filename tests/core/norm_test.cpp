#include "support/check_gradients.h"
#include "support/golden.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

Tensor some_variance(std::int64_t channels) {
  Rng rng(1);
  return Tensor::uniform({channels}, 0.5, 2, rng, DType::f64);
}

/// y, and the running statistics that a golden case expects afterwards.
void check_running_norm(const GoldenCase& golden) {
  const bool is_batch = golden.op.rfind("batch", 0) == 0;
  const double momentum = golden.options["momentum"], eps = golden.options["eps"];
  const bool own = golden.options[is_batch ? "training" : "use_input_stats"];
  check_golden(
      golden, {"x", "weight", "bias", "running_mean", "running_var"}, [&](const std::vector<Tensor>& t) {
        Tensor mean = t[3], var = t[4];
        const Tensor y = is_batch ? batch_norm(t[0], mean, var, t[1], t[2],
                                               {.training = own, .momentum = momentum, .eps = eps})
                                  : instance_norm(t[0], mean, var, t[1], t[2],
                                                  {.use_input_stats = own, .momentum = momentum, .eps = eps});
        const double tolerance = y.dtype() == DType::f64 ? 1e-12 : 1e-5;
        if (golden.has("running_mean_after")) {
          check_close(mean, golden.get("running_mean_after"), tolerance, golden.name + " running_mean");
          check_close(var, golden.get("running_var_after"), tolerance, golden.name + " running_var");
        }
        return y;
      });
}

TensorFunction batch_function(bool training) {
  return [=](const std::vector<Tensor>& t) {
    const std::int64_t channels = t[0].dim(1);
    return batch_norm(t[0], Tensor::full({channels}, 0.3, DType::f64), some_variance(channels),
                      t.size() > 1 ? t[1] : Tensor(), t.size() > 2 ? t[2] : Tensor(), {.training = training});
  };
}

TensorFunction instance_function(bool own) {
  return [=](const std::vector<Tensor>& t) {
    const std::int64_t channels = t[0].dim(1);
    return instance_norm(t[0], Tensor::full({channels}, 0.3, DType::f64), some_variance(channels),
                         t.size() > 1 ? t[1] : Tensor(), t.size() > 2 ? t[2] : Tensor(),
                         {.use_input_stats = own});
  };
}

/// With and without weight and bias.
void check_norm(const TensorFunction& function, const Shape& x, const Shape& affine) {
  BOOST_TEST_CONTEXT(x.str()) {
    check_gradients_twice(function, {random_tensor(x), random_tensor(affine), random_tensor(affine)});
    check_gradients_twice(function, {random_tensor(x)});
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(norm_test)

BOOST_AUTO_TEST_CASE(norms_and_their_running_statistics_agree_with_pytorch) {
  int running = 0, layer = 0;
  for (const GoldenCase& golden : read_golden("ops.h5")) {
    if (golden.op.rfind("batch_norm", 0) == 0 || golden.op.rfind("instance_norm", 0) == 0) {
      check_running_norm(golden);
      ++running;
    } else if (golden.op == "layer_norm") {
      const Shape shape(golden.options["normalized_shape"].get<std::vector<std::int64_t>>());
      const double eps = golden.options["eps"];
      check_golden(golden, {"x", "weight", "bias"},
                   [&](const std::vector<Tensor>& t) { return layer_norm(t[0], shape, t[1], t[2], eps); });
      ++layer;
    }
  }
  BOOST_TEST(running == 65);
  BOOST_TEST(layer == 6);
}

BOOST_AUTO_TEST_CASE(batch_norm_has_first_and_second_derivatives) {
  for (const Shape& x :
       {Shape{3, 2}, Shape{2, 1, 3}, Shape{1, 3, 5}, Shape{2, 2, 2, 1}, Shape{2, 2, 1, 2, 2}}) {
    check_norm(batch_function(true), x, {x[1]});
    check_norm(batch_function(false), x, {x[1]});
  }
  check_norm(batch_function(false), {0, 2, 3}, {2});
  check_norm(batch_function(false), {1, 2}, {2});
}

BOOST_AUTO_TEST_CASE(instance_norm_has_first_and_second_derivatives) {
  for (const Shape& x :
       {Shape{3, 1, 5}, Shape{1, 2, 3}, Shape{2, 2, 2, 3}, Shape{2, 1, 1, 3, 2}, Shape{0, 2, 3}}) {
    check_norm(instance_function(true), x, {x[1]});
    check_norm(instance_function(false), x, {x[1]});
  }
}

BOOST_AUTO_TEST_CASE(layer_and_rms_norm_have_first_and_second_derivatives) {
  for (const auto& [x, affine] : std::vector<std::pair<Shape, Shape>>{
           {{3, 4}, {4}}, {{5}, {5}}, {{2, 3, 2}, {3, 2}}, {{2, 1, 3}, {3}}, {{0, 3}, {3}}, {{2, 7}, {7}}}) {
    const Shape shape = affine;
    check_norm(
        [=](const std::vector<Tensor>& t) {
          return t.size() > 1 ? layer_norm(t[0], shape, t[1], t[2]) : layer_norm(t[0], shape);
        },
        x, affine);
    check_gradients_twice([=](const std::vector<Tensor>& t) { return rms_norm(t[0], shape, t[1]); },
                          {random_tensor(x), random_tensor(affine)});
    check_gradients_twice([=](const std::vector<Tensor>& t) { return rms_norm(t[0], shape); },
                          {random_tensor(x)});
  }
  check_gradients([](const std::vector<Tensor>& t) { return layer_norm(t[0], {1}, t[1], t[2]); },
                  {random_tensor({2, 1}), random_tensor({1}), random_tensor({1})});
}

BOOST_AUTO_TEST_CASE(weight_and_bias_of_one_layer_may_be_one_tensor) {
  check_gradients([](const std::vector<Tensor>& t) { return layer_norm(t[0], {3}, t[1], t[1] * t[1]); },
                  {random_tensor({2, 3}), random_tensor({3})});
  check_gradients([](const std::vector<Tensor>& t) { return layer_norm(t[0], {3}, t[1], t[1]); },
                  {random_tensor({2, 3}), random_tensor({3})});
}

BOOST_AUTO_TEST_CASE(rms_norm_is_its_formula) {
  const Tensor x = random_tensor({3, 5}), weight = random_tensor({5});
  check_close(rms_norm(x, {5}, weight, 0.25), x / sqrt(mean(x * x, 1, true) + 0.25) * weight, 1e-14);
  BOOST_TEST(relative_difference(rms_norm(x, {5}, {}, 0.25), rms_norm(x, {5})) > 1e-3);
  // The default epsilon is the type's: 2^-23 for f32, so a tiny x is not blown up.
  const Tensor tiny = Tensor::full({1, 4}, 1e-6, DType::f32);
  BOOST_TEST(rms_norm(tiny, {4}).data<float>()[0] == 1e-6 / std::sqrt(1e-12 + std::ldexp(1.0, -23)),
             boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(large_offsets_do_not_cancel) {
  const Tensor x = (random_tensor({4, 2, 50}) + 1e4).to(DType::f32);
  const Tensor y = batch_norm(x, {}, {}), exact = batch_norm(x.to(DType::f64), {}, {});
  check_close(y, exact,
              1e-3);  // f32 itself resolves 1e4 to 1e-3 of a deviation; E[x²] - E[x]² to 8 deviations
}

BOOST_AUTO_TEST_CASE(running_statistics_follow_momentum_and_the_unbiased_variance) {
  const Tensor x = random_tensor({4, 2, 3});
  Tensor mean_now = Tensor::zeros({2}, DType::f64), var_now = Tensor::ones({2}, DType::f64);
  batch_norm(x, mean_now, var_now, {}, {}, {.momentum = 0.3});
  check_close(mean_now, mean(x, {0, 2}) * 0.3, 1e-14);
  check_close(var_now, 0.7 + var(x, {0, 2}, 1) * 0.3, 1e-14);
  Tensor item_mean = Tensor::zeros({2}, DType::f64), item_var = Tensor::ones({2}, DType::f64);
  instance_norm(x, item_mean, item_var, {}, {}, {.momentum = 0.3});
  check_close(item_var, 0.7 + mean(var(x, {2}, 1), 0) * 0.3, 1e-14);
}

BOOST_AUTO_TEST_CASE(evaluation_leaves_running_statistics_alone) {
  Tensor mean_now = Tensor::full({2}, 0.5, DType::f64), var_now = Tensor::ones({2}, DType::f64);
  const Tensor x = random_tensor({4, 2, 3}).set_requires_grad();
  const Tensor y = batch_norm(x, mean_now, var_now, {}, {}, {.training = false, .eps = 0});
  check_close(y.detach(), x.detach() - 0.5, 1e-14);
  mean_now.fill_(9);  // a later training step must not reach back
  sum(y * y).backward();
  check_close(x.grad(), (x.detach() - 0.5) * 2, 1e-14);
}

BOOST_AUTO_TEST_CASE(shapes_that_have_no_statistics_are_refused) {
  const Tensor one = random_tensor({1, 3, 1});
  BOOST_CHECK_THROW(batch_norm(one, {}, {}), ShapeError);
  BOOST_CHECK_THROW(batch_norm(random_tensor({0, 3, 4}), {}, {}), ShapeError);
  BOOST_CHECK_THROW(instance_norm(random_tensor({4, 3, 1})), ShapeError);
  BOOST_CHECK_THROW(instance_norm(random_tensor({4, 3})), ShapeError);
  BOOST_CHECK_THROW(batch_norm(random_tensor({4}), {}, {}), ShapeError);
  BOOST_CHECK_THROW(batch_norm(random_tensor({4, 3}), {}, {}, {}, {}, {.training = false}), ConfigError);
  BOOST_CHECK_THROW(instance_norm(random_tensor({4, 3, 2}), {}, {}, {}, {}, {.use_input_stats = false}),
                    ConfigError);
  BOOST_CHECK_EXCEPTION(batch_norm(random_tensor({4, 3}), {}, {}, random_tensor({2})), ShapeError,
                        [](const Error& e) {
                          return std::string(e.what()).find("[3] for x [4, 3], got [2]") != std::string::npos;
                        });
  BOOST_CHECK_THROW(layer_norm(random_tensor({4, 3}), {4}), ShapeError);
  BOOST_CHECK_THROW(layer_norm(random_tensor({4, 3}), Shape{}), ShapeError);
  BOOST_CHECK_THROW(rms_norm(random_tensor({4, 3}), {3}, random_tensor({4})), ShapeError);
  BOOST_CHECK_THROW(layer_norm(random_tensor({4, 3}).to(DType::f32), {3}, random_tensor({3})), DTypeError);
}

BOOST_AUTO_TEST_CASE(planted_faults_are_caught) {
  // A norm's gradient g - mean(g) - n·mean(g·n), over the deviation, with one part wrong.
  struct Norm {
    std::function<Tensor(const Tensor&)> forward;
    std::vector<int> axes;
    bool centered;
  };
  const std::vector<Norm> norms{{[](const Tensor& x) { return batch_norm(x, {}, {}); }, {0, 2}, true},
                                {[](const Tensor& x) { return instance_norm(x); }, {2}, true},
                                {[](const Tensor& x) { return layer_norm(x, {4}); }, {2}, true},
                                {[](const Tensor& x) { return rms_norm(x, {4}, {}, 1e-5); }, {2}, false}};
  const auto broken = [](const Norm& norm, double factor, bool with_mean, bool with_product) {
    return [=](const std::vector<Tensor>& t) {
      const Tensor x = t[0].detach(), n = norm.forward(x);
      return record("faulty_norm", {t[0]}, n, [=, n = n.detach()](const Tensor& gy, Grads& grads) {
        const auto average = [&](const Tensor& value) { return mean(value, norm.axes, true); };
        const Tensor centered = norm.centered ? x - average(x) : x;
        Tensor gx = gy;
        if (with_mean) gx = gx - average(gy);
        if (with_product) gx = gx - n * average(gy * n);
        grads.add(0, gx * factor / sqrt(average(centered * centered) + 1e-5));
      });
    };
  };
  const Tensor x = random_tensor({3, 2, 4});
  for (const Norm& norm : norms) {
    check_gradients(broken(norm, 1, norm.centered, true), {x});
    check_fault_is_caught(broken(norm, -1, norm.centered, true), {x});
    check_fault_is_caught(broken(norm, 1.0001, norm.centered, true), {x});
    check_fault_is_caught(broken(norm, 1, !norm.centered, true), {x});
    check_fault_is_caught(broken(norm, 1, norm.centered, false), {x});
  }
}

BOOST_AUTO_TEST_CASE(an_activation_in_the_same_pass_equals_the_op_after_the_norm) {
  using Kind = NormActivation::Kind;
  const auto activation = [](Kind kind, const std::vector<Tensor>& t) {
    return NormActivation{kind, kind == Kind::prelu ? t[3] : Tensor()};
  };
  const auto after = [](Kind kind, const Tensor& z, const std::vector<Tensor>& t) {
    return kind == Kind::none ? z : kind == Kind::relu ? relu(z) : prelu(z, t[3]);
  };
  struct Norm {
    const char* name;
    std::function<Tensor(const std::vector<Tensor>&, const NormActivation&)> of;
  };
  const Norm norms[] = {
      {"batch",
       [](const auto& t, const auto& then) { return batch_norm(t[0], {}, {}, t[1], t[2], {}, then); }},
      {"instance",
       [](const auto& t, const auto& then) { return instance_norm(t[0], {}, {}, t[1], t[2], {}, then); }},
      {"batch, running", [](const auto& t, const auto& then) {
         return batch_norm(t[0], Tensor::full({3}, 0.2, t[0].dtype()), some_variance(3).to(t[0].dtype()),
                           t[1], t[2], {.training = false}, then);
       }}};
  for (const auto& [name, norm] : norms)
    for (const Kind kind : {Kind::none, Kind::relu, Kind::prelu})
      for (const std::int64_t slopes : {1, 3})
        for (const Shape& shape : {Shape{2, 3, 5}, Shape{4, 3, 70}, Shape{1, 3, 2, 3}}) {
          BOOST_TEST_CONTEXT(name << ' ' << int(kind) << ' ' << slopes << ' ' << shape.str()) {
            std::vector<Tensor> inputs{random_tensor(shape), random_tensor({3}), random_tensor({3}),
                                       random_tensor({slopes})};
            if (kind != Kind::prelu) inputs.pop_back();
            const auto fused = [&, of = norm](const std::vector<Tensor>& t) {
              return of(t, activation(kind, t));
            };
            const auto plain = [&, of = norm](const std::vector<Tensor>& t) {
              return after(kind, of(t, {}), t);
            };
            for (const DType dtype : {DType::f32, DType::f64}) {
              std::vector<Tensor> t;
              for (const Tensor& input : inputs) t.push_back(input.to(dtype).detach().set_requires_grad());
              const Tensor y = fused(t), expected = plain(t), gy = random_tensor(shape).to(dtype);
              const double tolerance = dtype == DType::f64 ? 1e-13 : 1e-5;
              check_close(y, expected, tolerance, "value");
              const std::vector<Tensor> got = grad({y}, t, {gy}), want = grad({expected}, t, {gy});
              for (std::size_t i = 0; i < t.size(); ++i)
                check_close(got[i], want[i], tolerance, "gradient " + std::to_string(i));
            }
            if (shape.numel() < 100) check_gradients_twice(fused, inputs);
          }
        }
}

BOOST_AUTO_TEST_CASE(an_activation_in_the_same_pass_keeps_relu_s_limits_and_refuses_wrong_slopes) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Tensor x = Tensor::from({-inf, inf, nan, -1.0, 2.0}, {5, 1});
  const Tensor y = batch_norm(x, Tensor::zeros({1}, DType::f64), Tensor::ones({1}, DType::f64), {}, {},
                              {.training = false, .eps = 0}, {NormActivation::Kind::relu, {}});
  BOOST_TEST(y.data<double>()[0] == 0);
  BOOST_TEST(y.data<double>()[1] == inf);
  BOOST_TEST(std::isnan(y.data<double>()[2]));
  BOOST_TEST(y.data<double>()[3] == 0);
  BOOST_TEST(y.data<double>()[4] == 2);
  BOOST_CHECK_THROW(instance_norm(random_tensor({2, 3, 4}), {}, {}, {}, {}, {},
                                  {NormActivation::Kind::prelu, random_tensor({2})}),
                    ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
