#include <evenkeel/nn/unit_scaled/layers.h>

#include "support/check_gradients.h"
#include "support/unit_scaling_golden.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using namespace unit_scaled;
using nlohmann::json;
using test::GoldenCase;

Constraint constraint_of(const json& layer, Constraint otherwise) {
  return layer.contains("constraint") ? constraint_from(layer.at("constraint")) : otherwise;
}

std::unique_ptr<nn::Module> make(const json& layer) {
  Rng rng(1);
  const std::string kind = layer.at("kind");
  const bool bias = layer.value("bias", false);
  if (kind == "Linear")
    return std::make_unique<Linear>(
        LinearOptions{.in_features = layer.at("in_features"),
                      .out_features = layer.at("out_features"),
                      .bias = bias,
                      .constraint = constraint_of(layer, LinearOptions().constraint),
                      .weight_mup_type = mup_type_from(layer.value("weight_mup_type", "weight")),
                      .dtype = DType::f64},
        rng);
  if (kind == "LinearReadout")
    return std::make_unique<LinearReadout>(
        LinearReadoutOptions{.in_features = layer.at("in_features"),
                             .out_features = layer.at("out_features"),
                             .bias = bias,
                             .constraint = constraint_of(layer, LinearReadoutOptions().constraint),
                             .dtype = DType::f64},
        rng);
  if (kind == "Conv1d")
    return std::make_unique<Conv1d>(ConvOptions{.in_channels = layer.at("in_channels"),
                                                .out_channels = layer.at("out_channels"),
                                                .kernel_size = layer.at("kernel_size").get<int>(),
                                                .stride = layer.value("stride", 1),
                                                .padding = layer.value("padding", 0),
                                                .groups = layer.value("groups", 1),
                                                .bias = bias,
                                                .dtype = DType::f64},
                                    rng);
  if (kind == "SiLU") return std::make_unique<SiLU>();
  const Shape shape{layer.at("normalized_shape").get<std::int64_t>()};
  if (kind == "LayerNorm")
    return std::make_unique<LayerNorm>(
        LayerNormOptions{.normalized_shape = shape, .elementwise_affine = true, .dtype = DType::f64});
  return std::make_unique<RMSNorm>(
      RMSNormOptions{.normalized_shape = shape, .elementwise_affine = true, .dtype = DType::f64});
}

BOOST_AUTO_TEST_SUITE(module_golden_test)

BOOST_AUTO_TEST_CASE(modules_agree_with_the_published_package) {
  int cases = 0;
  for (const GoldenCase& golden : test::read_golden("unit_scaling.h5")) {
    if (golden.op != "module") continue;
    ++cases;
    DepthSequential stack;
    std::unique_ptr<nn::Module> single;
    const json& layers = golden.options.at("layers");
    if (layers.size() == 1)
      single = make(layers[0]);
    else
      for (const json& layer : layers) stack.push_back(make(layer));
    nn::Module& net = single ? *single : stack;
    std::size_t i = 0;
    for (const auto& [name, parameter] : net.named_parameters()) {
      const json& expected = golden.entry.at("parameters").at(i++);
      BOOST_TEST(name == expected.at("name").get<std::string>());
      BOOST_TEST(evenkeel::name(*parameter.mup_type()) == expected.at("mup_type").get<std::string>());
      const json& depth = expected.at("mup_scaling_depth");
      BOOST_TEST(parameter.mup_scaling_depth().value_or(-1) ==
                 (depth.is_null() ? -1 : depth.get<std::int64_t>()));
      Tensor(parameter.tensor()).copy_(golden.get(name));
    }
    BOOST_TEST(i == golden.entry.at("parameters").size());
    const Tensor x = golden.get("x").clone().set_requires_grad();
    const Tensor y = net(x);
    test::check_close(y.detach(), golden.get("y"), 1e-12, golden.name);
    y.backward(golden.get("gy"));
    test::check_close(x.grad(), golden.get("grad_x"), 1e-12, golden.name);
    for (const auto& [name, parameter] : net.named_parameters())
      test::check_close(parameter.tensor().grad(), golden.get("grad_" + name), 1e-12, golden.name + name);
  }
  BOOST_TEST(cases == 11);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
