#include <evenkeel/analysis/trial.h>
#include <evenkeel/core/layer_path.h>

#include <string>

namespace evenkeel::analysis::detail {

namespace {

class ObserverScope {
 public:
  explicit ObserverScope(evenkeel::detail::OpObserver& observer)
      : outer_(evenkeel::detail::set_op_observer(&observer)) {}
  ~ObserverScope() { evenkeel::detail::set_op_observer(outer_); }
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  evenkeel::detail::OpObserver* outer_;
};

}  // namespace

KeepState::KeepState(const nn::Module& model) {
  for (const auto& [name, parameter] : model.named_parameters()) {
    Tensor tensor = parameter.tensor();
    gradients_.emplace_back(tensor, tensor.grad());
    tensor.zero_grad();
  }
  for (const nn::NamedBuffer& buffer : model.named_buffers())
    buffers_.emplace_back(buffer.tensor, buffer.tensor.clone());
}

KeepState::~KeepState() {
  for (auto& [tensor, gradient] : gradients_) tensor.set_grad(gradient);
  for (auto& [tensor, values] : buffers_) tensor.set_data(values);
}

Tensor as_input(const Tensor& batch) {
  Tensor input = batch.detach();
  if (is_floating(input.dtype())) input.set_requires_grad();
  return input;
}

void run_step(nn::Module& model, const Tensor& input, const LossFunction& loss,
              evenkeel::detail::OpObserver& observer) {
  const EnableGradScope enable;
  const ObserverScope scope(observer);
  const Tensor output = model(input);
  if (!loss) {
    Rng rng(0);
    output.backward(Tensor::randn(output.shape(), rng, output.dtype()));
    return;
  }
  static const std::string name = "loss";
  const auto value = [&] {
    const evenkeel::detail::LayerPathScope path(name);
    return loss(output);
  }();
  value.backward();
}

}  // namespace evenkeel::analysis::detail
