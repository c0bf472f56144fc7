#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;

namespace {

struct Block : Module {
  explicit Block(Rng& rng)
      : first(add("first", Linear({.in_features = 3, .out_features = 4}, rng))),
        second(add("second", Linear({.in_features = 4, .out_features = 2, .bias = false}, rng))),
        steps(add_buffer("steps", Tensor::zeros({1}, DType::i64))),
        average(add_buffer("average", Tensor::zeros({2}))) {}
  Tensor forward(const Tensor& x) override { return second(relu(first(x))); }

  Linear& first;
  Linear& second;
  Tensor steps, average;
};

struct Names : Module {
  void parameter(const std::string& name) { add_parameter(name, Tensor::zeros({1})); }
  void buffer(const std::string& name) { add_buffer(name, Tensor::zeros({1})); }
  void module(const std::string& name) { add(name, ReLU()); }
};

struct Recorder : ModuleObserver {
  void on_enter(Module& module, const Tensor&) override { calls.push_back("+" + module.name()); }
  void on_exit(Module& module, const Tensor&, const Tensor&) override {
    calls.push_back("-" + module.name());
  }
  std::vector<std::string> calls;
};

auto says(const std::string& part) {
  return [part](const Error& error) { return std::string(error.what()).find(part) != std::string::npos; };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(module_test)

BOOST_AUTO_TEST_CASE(parameters_and_buffers_have_dotted_names_in_the_order_of_their_making) {
  Rng rng(1);
  const Sequential net(Block(rng), ReLU(), Linear({.in_features = 2, .out_features = 5}, rng));
  std::vector<std::string> names;
  for (const auto& [name, parameter] : net.named_parameters()) names.push_back(name);
  BOOST_TEST(names == (std::vector<std::string>{"0.first.weight", "0.first.bias", "0.second.weight",
                                                "2.weight", "2.bias"}),
             boost::test_tools::per_element());
  names.clear();
  for (const NamedBuffer& buffer : net.named_buffers()) names.push_back(buffer.name);
  BOOST_TEST(names == (std::vector<std::string>{"0.steps", "0.average"}), boost::test_tools::per_element());
  BOOST_TEST(net.parameter_count() == 3 * 4 + 4 + 4 * 2 + 2 * 5 + 5);
}

BOOST_AUTO_TEST_CASE(modules_are_found_by_their_path) {
  Rng rng(1);
  Sequential net{Block(rng)};
  BOOST_TEST(net.child("0.second").type_name() == "Linear");
  BOOST_TEST(&net.child("") == &net);
  BOOST_CHECK_EXCEPTION(net.child("0.third"), ConfigError, says("\"0.third\""));
  BOOST_TEST(net.named_modules().size() == 4u);
}

BOOST_AUTO_TEST_CASE(train_and_eval_reach_every_module) {
  Rng rng(1);
  Sequential net{Block(rng)};
  net.eval();
  for (const NamedModule& item : net.named_modules()) BOOST_TEST(!item.module->is_training());
  net.train();
  for (const NamedModule& item : net.named_modules()) BOOST_TEST(item.module->is_training());
}

BOOST_AUTO_TEST_CASE(frozen_parameters_get_no_gradient) {
  Rng rng(1);
  Block block(rng);
  block.first.freeze();
  sum(block(Tensor::ones({2, 3}))).backward();
  BOOST_TEST(!block.first.weight().tensor().grad().defined());
  BOOST_TEST(block.second.weight().tensor().grad().defined());
  block.first.freeze(false);
  sum(block(Tensor::ones({2, 3}))).backward();
  BOOST_TEST(block.first.weight().tensor().grad().defined());
  block.zero_grad();
  for (const Parameter& parameter : block.parameters()) BOOST_TEST(!parameter.tensor().grad().defined());
}

BOOST_AUTO_TEST_CASE(to_converts_floats_behind_all_handles_and_leaves_integers) {
  Rng rng(1);
  Block block(rng);
  const Parameter weight = block.first.weight();
  block.to(DType::f64);
  BOOST_TEST((weight.tensor().dtype() == DType::f64));
  BOOST_TEST(weight.tensor().requires_grad());
  BOOST_TEST((block.average.dtype() == DType::f64));
  BOOST_TEST((block.steps.dtype() == DType::i64));
  BOOST_TEST((block(Tensor::ones({2, 3}, DType::f64)).dtype() == DType::f64));
  BOOST_CHECK_THROW(block.to(DType::i64), DTypeError);
}

BOOST_AUTO_TEST_CASE(errors_carry_the_path_of_the_layer) {
  Rng rng(1);
  Sequential net{Block(rng)};
  BOOST_CHECK_EXCEPTION(net(Tensor::ones({2, 7})), ShapeError, says("(in layer 0.first)"));
  BOOST_TEST(current_layer_path().empty());
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_without_dots) {
  Names names;
  names.parameter("a");
  BOOST_CHECK_THROW(names.parameter("a"), ConfigError);
  BOOST_CHECK_THROW(names.buffer("a"), ConfigError);
  BOOST_CHECK_THROW(names.module("a"), ConfigError);
  BOOST_CHECK_THROW(names.parameter("b.c"), ConfigError);
  BOOST_CHECK_THROW(names.module(""), ConfigError);
}

BOOST_AUTO_TEST_CASE(a_module_without_forward_says_so) {
  Names names;
  BOOST_CHECK_EXCEPTION(names(Tensor::ones({1})), ConfigError, says("[Names]"));
}

BOOST_AUTO_TEST_CASE(an_observer_sees_calls_in_their_order) {
  Rng rng(1);
  Sequential net{Block(rng)};
  Recorder recorder;
  ModuleObserver* before = set_module_observer(&recorder);
  net(Tensor::ones({1, 3}));
  set_module_observer(before);
  BOOST_TEST(recorder.calls ==
                 (std::vector<std::string>{"+", "+0", "+first", "-first", "+second", "-second", "-0", "-"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_tree_prints_like_pytorch) {
  Rng rng(1);
  const Sequential net(Linear({.in_features = 3, .out_features = 4}, rng), ReLU());
  BOOST_TEST(net.str() ==
             "Sequential(\n  (0): Linear(in_features=3, out_features=4, bias=true)\n  (1): ReLU()\n)");
}

BOOST_AUTO_TEST_CASE(linear_refuses_features_below_one) {
  Rng rng(1);
  BOOST_CHECK_THROW(Linear({.in_features = 0, .out_features = 1}, rng), ConfigError);
  BOOST_CHECK_THROW(Linear({.in_features = 1, .out_features = -1}, rng), ConfigError);
}

BOOST_AUTO_TEST_SUITE_END()
