#pragma once

#include <evenkeel/nn/module.h>
#include <evenkeel/optim/optimizer.h>

#include <functional>
#include <memory>
#include <string>

namespace evenkeel::bench {

/// A net of the examples, its loss and its optimiser.
struct Training {
  std::shared_ptr<nn::Module> net;
  std::function<Tensor(const Tensor& output)> loss;
  std::shared_ptr<optim::Optimizer> optimizer;

  /// One training step.
  void step(const Tensor& x) const {
    loss((*net)(x)).backward();
    optimizer->step();
  }
};

bool has_training(const std::string& name);

/// The training called `name`: "tiny", or the example's. `shape` is the input's.
Training make_training(const std::string& name, const Shape& shape);

}  // namespace evenkeel::bench
