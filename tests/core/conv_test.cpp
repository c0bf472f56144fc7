#include "support/check_gradients.h"
#include "support/golden.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

Axes axes_of(const nlohmann::json& numbers) {
  const auto values = numbers.get<std::vector<std::int64_t>>();
  return Axes(std::span<const std::int64_t>(values));
}

struct ConvCase {
  Shape x, weight;
  ConvParameters parameters;
};

const std::vector<ConvCase>& conv_cases() {
  static const std::vector<ConvCase> cases{
      {{2, 3, 7}, {4, 3, 3}, {.stride = 2, .padding = 1}},
      {{3, 5}, {2, 3, 2}, {.dilation = 3}},
      {{1, 1, 1}, {1, 1, 1}, {}},
      {{0, 2, 4}, {3, 2, 3}, {.padding = 1}},
      {{2, 4, 6}, {4, 1, 3}, {.padding = 1, .groups = 4}},
      {{1, 2, 5}, {2, 2, 4}, {.padding = 1, .padding_end = 2}},
      {{1, 1, 0}, {1, 1, 2}, {.padding = 1}},
      {{2, 2, 4, 5}, {2, 2, 3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}}},
      {{2, 3, 4}, {2, 1, 2, 3}, {.stride = {1, 2}, .padding = {0, 2}, .groups = 2}},
      {{1, 4, 3, 3}, {6, 2, 1, 1}, {.groups = 2}},
      {{1, 2, 3, 2, 3}, {2, 2, 2, 1, 3}, {.stride = {2, 1, 1}, .padding = {1, 0, 1}}},
      {{2, 2, 3, 3}, {4, 1, 3, 1, 2}, {.padding = 1, .padding_end = {0, 1, 0}, .groups = 2}},
  };
  return cases;
}

struct TransposeCase {
  Shape x, weight;
  ConvTransposeParameters parameters;
};

const std::vector<TransposeCase>& transpose_cases() {
  static const std::vector<TransposeCase> cases{
      {{2, 3, 4}, {3, 2, 3}, {.stride = 2, .padding = 1, .output_padding = 1}},
      {{3, 3}, {3, 2, 2}, {.dilation = 2}},
      {{1, 1, 1}, {1, 1, 1}, {}},
      {{0, 2, 3}, {2, 1, 3}, {}},
      {{1, 4, 3}, {4, 1, 3}, {.stride = 3, .output_padding = 2, .groups = 2}},
      {{2, 2, 2, 3}, {2, 2, 3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .output_padding = {1, 0}}},
      {{2, 1, 3}, {2, 3, 2, 3}, {.stride = 2, .padding = {0, 2}, .groups = 2}},
      {{1, 2, 2, 1, 2}, {2, 1, 2, 2, 3}, {.stride = {1, 2, 1}, .dilation = {2, 1, 1}}},
  };
  return cases;
}

TensorFunction conv_function(const ConvParameters& parameters) {
  return [=](const std::vector<Tensor>& t) {
    return conv(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), parameters);
  };
}

TensorFunction transpose_function(const ConvTransposeParameters& parameters) {
  return [=](const std::vector<Tensor>& t) {
    return conv_transpose(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), parameters);
  };
}

using Change = std::function<Tensor(const Tensor&)>;

/// A convolution of stride 1 without padding, whose backward is changed by `break_x` and `break_w`.
Tensor faulty_conv(const Tensor& x, const Tensor& weight, const Change& break_x, const Change& break_w) {
  return record("faulty_conv", {x, weight}, conv(x.detach(), weight.detach()),
                [=](const Tensor& gy, Grads& grads) {
                  if (grads.wants(0)) grads.add(0, break_x(conv_transpose(gy, weight.detach())));
                  if (!grads.wants(1)) return;
                  const Tensor gw = conv(transpose(x.detach(), 0, 1), transpose(gy, 0, 1));
                  grads.add(1, break_w(transpose(gw, 0, 1)));
                });
}

/// The same for a transposed convolution.
Tensor faulty_transpose(const Tensor& x, const Tensor& weight, const Change& break_x, const Change& break_w) {
  return record("faulty_transpose", {x, weight}, conv_transpose(x.detach(), weight.detach()),
                [=](const Tensor& gy, Grads& grads) {
                  if (grads.wants(0)) grads.add(0, break_x(conv(gy, weight.detach())));
                  if (!grads.wants(1)) return;
                  const Tensor gw = conv(transpose(gy, 0, 1), transpose(x.detach(), 0, 1));
                  grads.add(1, break_w(transpose(gw, 0, 1)));
                });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conv_test)

BOOST_AUTO_TEST_CASE(convolutions_agree_with_pytorch) {
  int count = 0;
  for (const GoldenCase& golden : read_golden("ops.h5")) {
    if (golden.op.rfind("conv", 0) != 0) continue;
    const ConvParameters parameters{.stride = axes_of(golden.options["stride"]),
                                    .padding = axes_of(golden.options["padding"]),
                                    .dilation = axes_of(golden.options["dilation"]),
                                    .groups = golden.options["groups"]};
    check_golden(golden, {"x", "weight", "bias"},
                 [&](const std::vector<Tensor>& t) { return conv(t[0], t[1], t[2], parameters); });
    ++count;
  }
  BOOST_TEST(count == 39);
}

BOOST_AUTO_TEST_CASE(convolution_has_first_and_second_derivatives) {
  for (const auto& [x, weight, parameters] : conv_cases()) {
    BOOST_TEST_CONTEXT(x.str() << " " << weight.str()) {
      check_gradients_twice(conv_function(parameters),
                            {random_tensor(x), random_tensor(weight), random_tensor({weight[0]})});
      check_gradients(conv_function(parameters), {random_tensor(x), random_tensor(weight)});
    }
  }
}

BOOST_AUTO_TEST_CASE(transposed_convolution_has_first_and_second_derivatives) {
  for (const auto& [x, weight, parameters] : transpose_cases()) {
    BOOST_TEST_CONTEXT(x.str() << " " << weight.str()) {
      check_gradients_twice(transpose_function(parameters), {random_tensor(x), random_tensor(weight),
                                                             random_tensor({weight[1] * parameters.groups})});
      check_gradients(transpose_function(parameters), {random_tensor(x), random_tensor(weight)});
    }
  }
}

BOOST_AUTO_TEST_CASE(backward_is_the_adjoint_of_forward) {
  Rng rng(3);
  for (const auto& [x, weight, parameters] : conv_cases())
    BOOST_TEST(adjoint_test(conv_function(parameters), {random_tensor(x), random_tensor(weight)}, rng) <=
               1e-12);
  for (const auto& [x, weight, parameters] : transpose_cases())
    BOOST_TEST(adjoint_test(transpose_function(parameters), {random_tensor(x), random_tensor(weight)}, rng) <=
               1e-12);
}

BOOST_AUTO_TEST_CASE(a_tensor_used_twice_gets_both_gradients) {
  check_gradients_twice([](const std::vector<Tensor>& t) { return conv(t[0], t[0]); },
                        {random_tensor({2, 2, 2})});
  check_gradients(
      [](const std::vector<Tensor>& t) {
        return conv_transpose(t[0], t[1]) + conv_transpose(t[0], t[1] * t[1]);
      },
      {random_tensor({1, 2, 3}), random_tensor({2, 2, 2})});
}

BOOST_AUTO_TEST_CASE(transposed_convolution_undoes_the_shape_of_a_strided_one) {
  const Tensor x = random_tensor({1, 2, 9, 8}), weight = random_tensor({3, 2, 3, 4});
  const Tensor y = conv(x, weight, {}, {.stride = {3, 2}, .padding = 1});
  const Tensor back =
      conv_transpose(y, weight, {}, {.stride = {3, 2}, .padding = 1, .output_padding = {2, 0}});
  BOOST_TEST(y.shape().str() == "[1, 3, 3, 4]");
  BOOST_TEST(back.shape().str() == x.shape().str());
}

BOOST_AUTO_TEST_CASE(unbatched_input_is_a_batch_of_one) {
  const Tensor x = random_tensor({2, 5, 4}), weight = random_tensor({3, 2, 2, 3}), bias = random_tensor({3});
  const Tensor batch = reshape(x, {1, 2, 5, 4});
  check_close(conv(x, weight, bias), reshape(conv(batch, weight, bias), {3, 4, 2}), 0);
  const Tensor back = random_tensor({2, 1, 2, 3}), shift = random_tensor({1});
  check_close(conv_transpose(x, back, shift), reshape(conv_transpose(batch, back, shift), {1, 6, 6}), 0);
}

BOOST_AUTO_TEST_CASE(every_parameter_changes_the_result) {
  const Tensor x = random_tensor({1, 2, 9}), weight = random_tensor({2, 1, 3});
  const ConvParameters base{.groups = 2};
  const auto differs = [](const Tensor& a, const Tensor& b) { return relative_difference(a, b) > 1e-3; };
  for (const ConvParameters& other :
       {ConvParameters{.stride = 2, .groups = 2}, ConvParameters{.padding = 1, .groups = 2},
        ConvParameters{.padding_end = 1, .groups = 2}, ConvParameters{.dilation = 2, .groups = 2}})
    BOOST_TEST(differs(conv(x, weight, {}, base), conv(x, weight, {}, other)));
  BOOST_TEST(differs(conv(x, random_tensor({2, 2, 3}), {}), conv(x, weight, {}, base)));
  BOOST_TEST(differs(conv(x, weight, random_tensor({2}), base), conv(x, weight, {}, base)));
  const ConvTransposeParameters plain{.stride = 2, .groups = 2};
  for (const ConvTransposeParameters& other :
       {ConvTransposeParameters{.stride = 3, .groups = 2},
        ConvTransposeParameters{.stride = 2, .padding = 1, .groups = 2},
        ConvTransposeParameters{.stride = 2, .output_padding = 1, .groups = 2},
        ConvTransposeParameters{.stride = 2, .dilation = 2, .groups = 2},
        ConvTransposeParameters{.stride = 2}})
    BOOST_TEST(differs(conv_transpose(x, weight, {}, plain), conv_transpose(x, weight, {}, other)));
}

BOOST_AUTO_TEST_CASE(wrong_shapes_and_parameters_are_refused_with_both_shapes) {
  const auto says = [](const std::string& part) {
    return [=](const Error& error) { return std::string(error.what()).find(part) != std::string::npos; };
  };
  const Tensor x = random_tensor({2, 3, 8}), weight = random_tensor({4, 3, 3});
  BOOST_CHECK_EXCEPTION(conv(x, random_tensor({4, 2, 3})), ShapeError,
                        says("[2, 3, 8] and weight [4, 2, 3]"));
  BOOST_CHECK_EXCEPTION(conv(random_tensor({2, 3, 2}), weight), ShapeError, says("at least 3 cells"));
  BOOST_CHECK_EXCEPTION(conv(random_tensor({8}), weight), ShapeError, says("[8] and [4, 3, 3]"));
  BOOST_CHECK_THROW(conv(x, random_tensor({3, 3})), ShapeError);
  BOOST_CHECK_THROW(conv(x, random_tensor({4, 3, 0})), ShapeError);
  BOOST_CHECK_EXCEPTION(conv(x, weight, random_tensor({3})), ShapeError,
                        says("expected a bias [4], got [3]"));
  BOOST_CHECK_THROW(conv(x, random_tensor({5, 1, 3}), {}, {.groups = 3}), ShapeError);
  BOOST_CHECK_EXCEPTION(conv(x, weight, {}, {.stride = 0}), ConfigError, says("stride of at least 1, got 0"));
  BOOST_CHECK_THROW(conv(x, weight, {}, {.padding = -1}), ConfigError);
  BOOST_CHECK_THROW(conv(x, weight, {}, {.dilation = 0}), ConfigError);
  BOOST_CHECK_THROW(conv(x, weight, {}, {.groups = 0}), ConfigError);
  BOOST_CHECK_EXCEPTION(conv(x, weight, {}, {.stride = {1, 2}}), ConfigError,
                        says("one for each of the 1 axes"));
  BOOST_CHECK_THROW(conv(x.to(DType::f32), weight), DTypeError);
  BOOST_CHECK_EXCEPTION(conv_transpose(x, weight), ShapeError, says("x of 4 channels"));
  const Tensor back = random_tensor({3, 2, 2});
  BOOST_CHECK_THROW(conv_transpose(x, back, {}, {.output_padding = 1}), ConfigError);
  BOOST_CHECK_THROW(conv_transpose(x, back, {}, {.padding = 5}), ShapeError);
  BOOST_CHECK_THROW(conv_transpose(random_tensor({2, 3, 0}), back), ShapeError);
}

BOOST_AUTO_TEST_CASE(planted_faults_are_caught) {
  const std::vector<Tensor> inputs{random_tensor({2, 2, 4, 4}), random_tensor({2, 2, 3, 3})};
  const auto right = [](const Tensor& g) { return g; };
  const auto shifted = [](const Tensor& g) {
    return cat({slice(g, -1, 1, g.dim(-1)), slice(g, -1, 0, 1)}, g.rank() - 1);
  };
  const std::vector<Change> faults{
      [](const Tensor& g) { return -g; }, [](const Tensor& g) { return g * 1.001; },
      [](const Tensor& g) { return transpose(g, -1, -2); },
      [](const Tensor& g) { return g - expand(mean(g, 0, true), g.shape()); }, shifted};
  for (const auto op : {faulty_conv, faulty_transpose}) {
    const auto broken = [op](const Change& break_x, const Change& break_w) {
      return [=](const std::vector<Tensor>& t) { return op(t[0], t[1], break_x, break_w); };
    };
    check_gradients(broken(right, right), inputs);
    for (const Change& fault : faults) {
      check_fault_is_caught(broken(fault, right), inputs);
      check_fault_is_caught(broken(right, fault), inputs);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
