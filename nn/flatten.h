#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

/// Joins the axes start_dim … end_dim; by default all but the batch.
class Flatten : public Module {
 public:
  explicit Flatten(int start_dim = 1, int end_dim = -1) : start_dim_(start_dim), end_dim_(end_dim) {}
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;

 private:
  int start_dim_, end_dim_;
};

}  // namespace evenkeel::nn
