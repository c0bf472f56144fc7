#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

/// Joins the axes start_dim … end_dim; by default all but the batch.
class Flatten : public Module {
 public:
  /// ConfigError if both count from the same end and end_dim comes before start_dim.
  explicit Flatten(int start_dim = 1, int end_dim = -1);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int start_dim_, end_dim_;
};

}  // namespace evenkeel::nn
