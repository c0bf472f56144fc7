#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/gradcheck.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace evenkeel {

namespace {

/// Jacobian of one input: [input elements][output elements].
using Jacobian = std::vector<std::vector<double>>;

struct Checker {
  const TensorFunction& function;
  GradcheckOptions options;
  std::vector<Tensor> inputs;
  std::vector<bool> varied;
  GradcheckReport report;

  Tensor value() const {
    const NoGradScope no_grad;
    return function(inputs);
  }

  std::vector<Jacobian> analytic(const std::vector<bool>& wanted) const {
    std::vector<Tensor> leaves;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      leaves.push_back(inputs[i].clone());
      if (wanted[i]) leaves[i].set_requires_grad();
    }
    const Tensor out = function(leaves);
    std::vector<Jacobian> jacobians(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (wanted[i])
        jacobians[i].assign(static_cast<std::size_t>(inputs[i].numel()),
                            std::vector<double>(static_cast<std::size_t>(out.numel()), 0.0));
    if (!out.requires_grad()) return jacobians;
    Tensor seed = Tensor::zeros(out.shape(), DType::f64);
    for (std::int64_t k = 0; k < out.numel(); ++k) {
      seed = Tensor::zeros(out.shape(), DType::f64);
      seed.mutable_data<double>()[k] = 1;
      for (Tensor& leaf : leaves) leaf.zero_grad();
      out.backward(seed, {.retain_graph = true});
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!wanted[i] || !leaves[i].grad().defined()) continue;
        const double* gradient = leaves[i].grad().data<double>();
        for (std::int64_t j = 0; j < inputs[i].numel(); ++j)
          jacobians[i][static_cast<std::size_t>(j)][static_cast<std::size_t>(k)] = gradient[j];
      }
    }
    return jacobians;
  }

  void compare(std::size_t input, std::size_t j, std::size_t k, double got, double expected, double largest,
               const char* what) {
    ++report.entries;
    const double difference = std::abs(got - expected);
    const double error = difference / std::max({std::abs(got), std::abs(expected), largest, options.atol});
    const bool fails = !(difference <= options.atol || error <= options.rtol);
    if (fails) report.passed = false;
    if ((difference > options.atol && error > report.worst_error) || (fails && report.worst.empty())) {
      report.worst_error = error;
      report.worst =
          fmt::format("{}: input {} element {}, output element {}: backward {:.12g}, expected {:.12g}", what,
                      input, j, k, got, expected);
    }
  }

  void check_jacobian() {
    const Tensor out = value();
    const std::vector<Jacobian> jacobians = analytic(varied);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!varied[i]) continue;
      const double factor = options.factors.empty() ? 1.0 : options.factors[i];
      Jacobian numeric(jacobians[i].size());
      double largest = 0;
      for (std::size_t j = 0; j < numeric.size(); ++j) {
        double* element = inputs[i].mutable_data<double>() + j;
        const double at = *element, step = options.eps * std::max(1.0, std::abs(at));
        *element = at + step;
        const std::vector<double> above = value().to_vector<double>();
        *element = at - step;
        const std::vector<double> below = value().to_vector<double>();
        *element = at;
        for (std::size_t k = 0; k < above.size(); ++k) {
          numeric[j].push_back(factor * (above[k] - below[k]) / (2 * step));
          largest = std::max(largest, std::abs(numeric[j][k]));
        }
      }
      for (std::size_t j = 0; j < numeric.size(); ++j)
        for (std::size_t k = 0; k < numeric[j].size(); ++k)
          compare(i, j, k, jacobians[i][j][k], numeric[j][k], largest, "central difference");
    }
    check_subsets(jacobians);
    check_accumulation(jacobians, out.shape());
  }

  /// An input alone must get the gradient that it gets with the others.
  void check_subsets(const std::vector<Jacobian>& together) {
    if (std::count(varied.begin(), varied.end(), true) < 2) return;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!varied[i]) continue;
      std::vector<bool> only(inputs.size(), false);
      only[i] = true;
      const Jacobian alone = analytic(only)[i];
      for (std::size_t j = 0; j < alone.size(); ++j)
        for (std::size_t k = 0; k < alone[j].size(); ++k)
          compare(i, j, k, alone[j][k], together[i][j][k], 0, "gradient of this input alone");
    }
  }

  /// Two paths to one input must add: f(x) + f(x) has twice the gradient, on top of what was there.
  void check_accumulation(const std::vector<Jacobian>& once, const Shape& shape) {
    std::vector<Tensor> leaves;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      leaves.push_back(inputs[i].clone());
      if (!varied[i]) continue;
      leaves[i].set_requires_grad();
      leaves[i].set_grad(Tensor::ones(inputs[i].shape(), DType::f64));
    }
    std::vector<Tensor> joined(leaves);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (varied[i]) joined[i] = affine(leaves[i], 1, 0);
    const Tensor out = function(joined) + function(joined);
    if (!out.requires_grad()) return;
    out.backward(Tensor::ones(shape, DType::f64));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!varied[i]) continue;
      for (std::size_t j = 0; j < once[i].size(); ++j) {
        double expected = 1, size = 1;
        for (const double entry : once[i][j]) {
          expected += 2 * entry;
          size += 2 * std::abs(entry);
        }
        compare(i, j, 0, leaves[i].grad().data<double>()[j], expected, size,
                "two paths onto a filled gradient");
      }
    }
  }
};

/// The gradient of sum(function·weights) by the varied inputs, joined in one vector: a function to check
/// again.
TensorFunction gradient_function(const TensorFunction& function, const std::vector<bool>& varied,
                                 const Tensor& weights) {
  return [function, varied, weights](const std::vector<Tensor>& inputs) {
    const EnableGradScope enable;
    std::vector<Tensor> leaves(inputs), wanted, joined;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!varied[i]) continue;
      if (!leaves[i].requires_grad()) leaves[i] = inputs[i].clone().set_requires_grad();
      wanted.push_back(leaves[i]);
    }
    const Tensor out = function(leaves);
    const std::vector<Tensor> gradients = grad({out}, wanted, {weights}, {.create_graph = true});
    for (std::size_t i = 0; i < wanted.size(); ++i)
      joined.push_back(gradients[i].defined() ? flatten(gradients[i])
                                              : Tensor::zeros({wanted[i].numel()}, DType::f64));
    return cat(joined);
  };
}

void require_f64(const char* op, const std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs)
    if (input.dtype() == DType::f32)
      throw DTypeError(std::string("[") + op + "] expected f64 inputs, got f32" + input.shape().str());
}

}  // namespace

GradcheckReport gradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  require_f64("gradcheck", inputs);
  if (!options.factors.empty() && options.factors.size() != inputs.size())
    throw ConfigError(fmt::format("[gradcheck] expected {} factors, one an input, got {}", inputs.size(),
                                  options.factors.size()));
  std::vector<bool> varied;
  varied.reserve(inputs.size());
  for (const Tensor& input : inputs) varied.push_back(input.requires_grad());
  if (std::count(varied.begin(), varied.end(), true) == 0)
    for (std::size_t i = 0; i < inputs.size(); ++i) varied[i] = is_floating(inputs[i].dtype());
  std::vector<Tensor> copies;
  copies.reserve(inputs.size());
  for (const Tensor& input : inputs) copies.push_back(input.clone());

  Checker checker{function, options, copies, varied, {}};
  checker.check_jacobian();
  if (!options.second_order) return checker.report;
  Rng rng(20);
  const Tensor weights = Tensor::randn(checker.value().shape(), rng, DType::f64);
  const TensorFunction gradient = gradient_function(function, varied, weights);
  Checker second{gradient, options, copies, varied, checker.report};
  second.options.factors.clear();
  second.check_jacobian();
  return second.report;
}

double adjoint_test(const TensorFunction& function, const std::vector<Tensor>& inputs, Rng& rng) {
  require_f64("adjoint_test", inputs);
  std::vector<Tensor> leaves(inputs);
  leaves[0] = Tensor::randn(inputs[0].shape(), rng, DType::f64).set_requires_grad();
  const Tensor out = function(leaves);
  const Tensor y = Tensor::randn(out.shape(), rng, DType::f64);
  const NoGradScope no_grad;
  const Tensor adjoint = grad({out}, {leaves[0]}, {y})[0];
  const double left = sum(out.detach() * y).item();
  const double right = adjoint.defined() ? sum(leaves[0].detach() * adjoint).item() : 0.0;
  const double norms = std::sqrt(sum(out.detach() * out.detach()).item() * sum(y * y).item());
  return norms == 0 ? std::abs(left - right) : std::abs(left - right) / norms;
}

}  // namespace evenkeel
