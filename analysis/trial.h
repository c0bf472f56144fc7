#pragma once

#include <evenkeel/core/autograd.h>
#include <evenkeel/nn/module.h>

#include <functional>
#include <utility>
#include <vector>

namespace evenkeel::analysis {

/// Makes the number to be minimised from the model's output.
using LossFunction = std::function<Tensor(const Tensor& output)>;

namespace detail {

/// Puts a model's gradients and buffers back as they were.
class KeepState {
 public:
  explicit KeepState(const nn::Module& model);
  ~KeepState();
  KeepState(const KeepState&) = delete;
  KeepState& operator=(const KeepState&) = delete;

 private:
  std::vector<std::pair<Tensor, Tensor>> gradients_, buffers_;  // where, what
};

/// One forward and one backward of `model` on `input`, which gets a gradient if it is floating; `observer`
/// sees both. The ops of `loss` are in the layer "loss"; without a loss the output's gradient is drawn from
/// N(0, 1).
void run_step(nn::Module& model, const Tensor& input, const LossFunction& loss,
              evenkeel::detail::OpObserver& observer);

/// `batch` as a leaf of its own, with a gradient if it is floating.
Tensor as_input(const Tensor& batch);

}  // namespace detail
}  // namespace evenkeel::analysis
