#include "support/golden.h"

#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace evenkeel::test {

namespace {

double run(const GoldenCase& golden, const std::vector<std::string>& inputs,
           const std::function<Tensor(const std::vector<Tensor>&)>& function, DType dtype, double tolerance) {
  std::vector<Tensor> leaves;
  for (const std::string& name : inputs) {
    Tensor input = golden.get(name);
    if (input.defined() && is_floating(input.dtype())) {
      input = input.clone().to(dtype).detach();
      if (golden.has("grad_" + name)) input.set_requires_grad();
    }
    leaves.push_back(input);
  }
  const Tensor out = function(leaves);
  const std::string what = golden.name + " " + name(dtype);
  const Tensor expected = golden.get("y");
  BOOST_REQUIRE_MESSAGE(out.numel() == expected.numel(), what << ": got the shape " << out.shape().str());
  double worst = 0;
  const auto compare = [&](const Tensor& got, const Tensor& want, const std::string& of) {
    check_close(got, want, tolerance, what + " " + of);
    worst = std::max(worst, relative_difference(got, want));
  };
  compare(out.detach(), detail::view(expected, out.shape()), "y");
  if (!out.requires_grad()) return worst;
  out.backward(detail::view(golden.get("gy"), out.shape()).to(dtype).detach());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!golden.has("grad_" + inputs[i])) continue;
    BOOST_REQUIRE_MESSAGE(leaves[i].grad().defined(), what << ": no gradient of " << inputs[i]);
    compare(leaves[i].grad(), detail::view(golden.get("grad_" + inputs[i]), leaves[i].shape()),
            "grad_" + inputs[i]);
  }
  return worst;
}

}  // namespace

GoldenDifference check_golden(const GoldenCase& golden, const std::vector<std::string>& inputs,
                              const std::function<Tensor(const std::vector<Tensor>&)>& function) {
  return {run(golden, inputs, function, DType::f64, 1e-12), run(golden, inputs, function, DType::f32, 1e-5)};
}

}  // namespace evenkeel::test
