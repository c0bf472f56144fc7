#include "support/op_checks.h"

#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/random.h>

#include <algorithm>
#include <cmath>

namespace evenkeel::test {

namespace {

Tensor corrupted(const Tensor& gradient, Fault fault) {
  std::vector<double> values = gradient.to_vector<double>();
  if (values.empty()) return gradient;
  switch (fault) {
    case Fault::sign:
      for (double& value : values) value = -value;
      break;
    case Fault::factor:
      for (double& value : values) value *= 1.0001;
      break;
    case Fault::reversed:
      std::reverse(values.begin(), values.end());
      break;
    case Fault::lost_term:
      values.back() = 0;
      break;
    case Fault::off_by_one:
      std::rotate(values.begin(), values.begin() + 1, values.end());
  }
  return Tensor::from(values, gradient.shape());
}

}  // namespace

std::map<std::string, std::vector<OpCases>>& op_checks() {
  static std::map<std::string, std::vector<OpCases>> all;
  return all;
}

std::vector<OpCase> over_shapes(const std::function<Tensor(const Tensor&)>& function,
                                const std::function<Tensor(const Shape&)>& make) {
  std::vector<OpCase> cases;
  for (const Shape& shape :
       {Shape{3, 5}, Shape{}, Shape{1}, Shape{7}, Shape{0}, Shape{2, 0, 3}, Shape{2, 3, 3}, Shape{9, 11}})
    cases.push_back({[=](const std::vector<Tensor>& t) { return function(t[0]); }, {make(shape)}});
  return cases;
}

Tensor away_from_zero(const Shape& shape) {
  std::vector<double> values = random_tensor(shape).to_vector<double>();
  for (double& value : values) value += value < 0 ? -0.1 : 0.1;
  return Tensor::from(values, shape);
}

Tensor positive(const Shape& shape) {
  static Rng rng(8);
  return Tensor::uniform(shape, 0.5, 2, rng, DType::f64);
}

const char* name(Fault fault) {
  static constexpr const char* kNames[] = {"sign", "factor", "reversed", "lost term", "off by one"};
  return kNames[static_cast<int>(fault)];
}

TensorFunction with_fault(const TensorFunction& function, Fault fault) {
  return [function, fault](const std::vector<Tensor>& inputs) {
    std::vector<Tensor> values;
    for (const Tensor& input : inputs) values.push_back(input.detach());
    return record("faulty", inputs, function(values).detach(), [=](const Tensor& gy, Grads& grads) {
      const EnableGradScope enable;
      std::vector<Tensor> leaves, wanted;
      for (std::size_t i = 0; i < values.size(); ++i) {
        leaves.push_back(values[i].detach());
        if (grads.wants(i)) wanted.push_back(leaves.back().set_requires_grad());
      }
      const std::vector<Tensor> gradients = grad({function(leaves)}, wanted, {gy});
      for (std::size_t i = 0, next = 0; i < values.size(); ++i) {
        if (!grads.wants(i)) continue;
        if (const Tensor& gradient = gradients[next++]; gradient.defined())
          grads.add(i, corrupted(gradient, fault));
      }
    });
  };
}

bool is_a_fault(const OpCase& op, Fault fault) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : op.inputs) {
    leaves.push_back(input.clone());
    if (is_floating(input.dtype())) leaves.back().set_requires_grad();
  }
  const Tensor out = op.function(leaves);
  if (!out.requires_grad() || out.numel() == 0) return false;
  out.backward(random_tensor(out.shape()));
  return std::any_of(leaves.begin(), leaves.end(), [&](const Tensor& leaf) {
    if (!leaf.grad().defined()) return false;
    return relative_difference(corrupted(leaf.grad(), fault), leaf.grad()) > 1e-5;
  });
}

}  // namespace evenkeel::test
