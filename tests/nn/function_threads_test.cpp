// The same bits at any number of threads, and from run to run, of every function and its gradients.

#include "support/declared.h"
#include "support/function_cases.h"
#include "support/same_bits.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/core/random.h>
#include <boost/test/unit_test.hpp>

#include <cstdio>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// Value, gradients, and the gradients of these with other weights.
std::vector<Tensor> results(const FunctionCase& one, const std::vector<Tensor>& values) {
  std::vector<Tensor> inputs, all;
  for (const Tensor& value : values) inputs.push_back(value.detach().set_requires_grad());
  all.push_back(one.function(inputs));
  if (!all[0].requires_grad()) return all;
  Rng rng(7);
  const Tensor weights = Tensor::randn(all[0].shape(), rng).set_requires_grad();
  const std::vector<Tensor> first = grad({all[0]}, inputs, {weights}, {.create_graph = true});
  std::vector<Tensor> outputs, grad_outputs;
  for (const Tensor& gradient : first) {
    all.push_back(gradient);
    if (!gradient.requires_grad()) continue;
    outputs.push_back(gradient);
    grad_outputs.push_back(Tensor::full(gradient.shape(), 0.7));
  }
  inputs.push_back(weights);
  for (const Tensor& second : grad(outputs, inputs, grad_outputs))
    if (second.defined()) all.push_back(second);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(function_threads_test)

BOOST_AUTO_TEST_CASE(every_function_has_a_case) {
  std::set<std::string> declared = declared_functions("core/ops"), covered;
  declared.merge(declared_functions("nn"));
  BOOST_TEST(declared.contains("unit_scaled::gelu"), "the declarations were not found");
  for (const FunctionCase& one : function_cases()) covered.insert(one.name.substr(0, one.name.find(' ')));
  for (const std::string& name : declared)
    BOOST_TEST(covered.contains(name),
               name << " has no case: add one in tests/support/function_cases.cpp or beside it");
  for (const std::string& name : covered) BOOST_TEST(declared.contains(name), name << " is not declared");
  std::printf("%zu functions in %zu cases\n", covered.size(), function_cases().size());
}

BOOST_AUTO_TEST_CASE(every_function_gives_the_same_bits_at_any_thread_count) {
  for (const FunctionCase& one : function_cases()) {
    Rng rng(3);
    std::vector<Tensor> values;
    for (const Shape& shape : one.inputs)
      values.push_back(one.is_positive ? Tensor::uniform(shape, 0.5, 2, rng) : Tensor::randn(shape, rng));
    check_same_at_any_thread_count(one.name, [&] { return results(one, values); }, {2, 5, 16});
  }
}

BOOST_AUTO_TEST_SUITE_END()
