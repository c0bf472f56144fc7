#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/check_gradients.h"
#include "support/unit_scaling_golden.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::axes_of;
using test::constraint_of;
using test::GoldenCase;
using test::run_unit_scaling_cases;
using Tensors = std::vector<Tensor>;

BOOST_AUTO_TEST_SUITE(linear_golden_test)

BOOST_AUTO_TEST_CASE(the_primitives_agree_with_the_published_package) {
  BOOST_TEST(2 == run_unit_scaling_cases("scale_fwd", {"x"}, [](const GoldenCase& golden, const Tensors& t) {
               return unit_scaled::scale_fwd(t[0], golden.options.at("scale"));
             }));
  BOOST_TEST(2 == run_unit_scaling_cases("scale_bwd", {"x"}, [](const GoldenCase& golden, const Tensors& t) {
               return unit_scaled::scale_bwd(t[0], golden.options.at("scale"));
             }));
}

BOOST_AUTO_TEST_CASE(the_constraints_agree_with_the_published_package) {
  int cases = 0;
  for (const GoldenCase& golden : test::read_golden("unit_scaling.h5")) {
    if (golden.op != "constraint") continue;
    ++cases;
    const std::vector<double> given = golden.options.at("scales");
    const unit_scaled::Scales scales = unit_scaled::apply_constraint(
        constraint_of(golden), {given[0], std::vector<double>(given.begin() + 1, given.end())});
    std::vector<double> got{scales.output};
    got.insert(got.end(), scales.gradients.begin(), scales.gradients.end());
    test::check_close(Tensor::from(got, golden.get("y").shape()), golden.get("y"), 1e-15, golden.name);
  }
  BOOST_TEST(cases == 26);
}

BOOST_AUTO_TEST_CASE(linear_agrees_with_the_published_package) {
  const std::vector<std::string> inputs{"x", "weight", "bias"};
  BOOST_TEST(24 == run_unit_scaling_cases("linear", inputs, [](const GoldenCase& golden, const Tensors& t) {
               return unit_scaled::linear(t[0], t[1], t[2], constraint_of(golden));
             }));
  BOOST_TEST(24 == run_unit_scaling_cases("linear_readout", inputs, [](const auto& golden, const Tensors& t) {
               return unit_scaled::linear_readout(t[0], t[1], t[2], constraint_of(golden));
             }));
}

BOOST_AUTO_TEST_CASE(conv_agrees_with_the_published_package) {
  const std::vector<std::string> inputs{"x", "weight", "bias"};
  BOOST_TEST(42 == run_unit_scaling_cases("conv1d", inputs, [](const GoldenCase& golden, const Tensors& t) {
               const ConvParameters parameters{.stride = axes_of(golden, "stride"),
                                               .padding = axes_of(golden, "padding"),
                                               .dilation = axes_of(golden, "dilation"),
                                               .groups = golden.options.at("groups")};
               return unit_scaled::conv(t[0], t[1], t[2], parameters, constraint_of(golden));
             }));
}

BOOST_AUTO_TEST_CASE(matmul_and_add_agree_with_the_published_package) {
  BOOST_TEST(28 == run_unit_scaling_cases("matmul", {"a", "b"}, [](const auto& golden, const Tensors& t) {
               return unit_scaled::matmul(t[0], t[1], constraint_of(golden));
             }));
  BOOST_TEST(35 == run_unit_scaling_cases("add", {"a", "b"}, [](const auto& golden, const Tensors& t) {
               return unit_scaled::add(t[0], t[1], constraint_of(golden));
             }));
  BOOST_TEST(1 == run_unit_scaling_cases("add_number", {"x"}, [](const auto& golden, const Tensors& t) {
               return unit_scaled::add(t[0], golden.options.at("number").template get<double>());
             }));
}

BOOST_AUTO_TEST_CASE(residual_connections_agree_with_the_published_package) {
  const auto add = [](const GoldenCase& golden, const Tensors& t) {
    return unit_scaled::residual_add(t[0], t[1], golden.options.at("tau"));
  };
  BOOST_TEST(3 == run_unit_scaling_cases("residual_add", {"residual", "skip"}, add));
  const auto apply = [](const GoldenCase& golden, const Tensors& t) {
    const auto branch = [&](const Tensor& x) {
      return golden.options.at("function") == "tanh" ? tanh(x) : unit_scaled::linear(x, t[1]);
    };
    return unit_scaled::residual_apply(branch, t[0], golden.options.at("tau"));
  };
  BOOST_TEST(6 == run_unit_scaling_cases("residual_apply", {"x", "weight"}, apply));
  for (const GoldenCase& golden : test::read_golden("unit_scaling.h5")) {
    if (golden.op != "residual_split") continue;
    const Tensor x = golden.get("x").clone().set_requires_grad();
    const auto [residual, skip] = unit_scaled::residual_split(x, golden.options.at("tau"));
    test::check_close(residual.detach(), golden.get("y0"), 0, golden.name);
    test::check_close(skip.detach(), golden.get("y1"), 0, golden.name);
    sum(residual * golden.get("gy0") + skip * golden.get("gy1")).backward();
    test::check_close(x.grad(), golden.get("grad_x"), 1e-12, golden.name);
  }
}

BOOST_AUTO_TEST_CASE(norms_agree_with_the_published_package) {
  const auto shape_of = [](const GoldenCase& golden) {
    const std::vector<std::int64_t> sizes = golden.options.at("normalized_shape");
    return Shape(std::span<const std::int64_t>(sizes));
  };
  const auto layer = [&](const GoldenCase& golden, const Tensors& t) {
    return unit_scaled::layer_norm(t[0], shape_of(golden), t[1], t[2], golden.options.at("eps"));
  };
  BOOST_TEST(9 == run_unit_scaling_cases("layer_norm", {"x", "weight", "bias"}, layer));
  const auto rms = [&](const GoldenCase& golden, const Tensors& t) {
    return unit_scaled::rms_norm(t[0], shape_of(golden), t[1], golden.options.at("eps"));
  };
  BOOST_TEST(6 == run_unit_scaling_cases("rms_norm", {"x", "weight"}, rms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
