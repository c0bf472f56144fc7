#include "support/optim_golden.h"

#include "support/check_gradients.h"

#include <cmath>

namespace evenkeel::test {

void run_golden_steps(const GoldenCase& golden, const ParameterBag& bag, optim::Optimizer& optimizer,
                      double tolerance) {
  const double a = golden.options.at("a"), b = golden.options.at("b"), noise = golden.options.at("noise");
  const std::uint64_t seed = golden.options.at("noise_seed");
  const int steps = golden.options.at("steps");
  for (int t = 0; t < steps; ++t) {
    std::uint64_t i = 0;
    for (const auto& [name, parameter] : bag.named_parameters()) {
      Tensor leaf = parameter;
      const Tensor made = golden_made(leaf.shape(), seed + 1000 * i++ + static_cast<std::uint64_t>(t));
      Tensor gradient = Tensor::empty(leaf.shape(), DType::f64);
      double* g = gradient.mutable_data<double>();
      for (std::int64_t k = 0; k < leaf.numel(); ++k) {
        const double p = leaf.data<double>()[k];
        g[k] = a * p + b * std::tanh(p) + noise * made.data<double>()[k];
      }
      leaf.set_grad(gradient);
    }
    optimizer.step();
    for (const auto& [name, parameter] : bag.named_parameters()) {
      const std::string stored = name + "_after_" + std::to_string(t + 1);
      if (golden.has(stored))
        check_close(parameter, golden.get(stored), tolerance, golden.name + " " + stored);
    }
  }
}

}  // namespace evenkeel::test
