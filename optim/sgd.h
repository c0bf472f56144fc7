#pragma once

#include <evenkeel/optim/optimizer.h>

namespace evenkeel::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// Gradient descent as torch.optim.SGD: b = momentum·b + (1 - dampening)·g, p -= lr·b. The first b is g.
class SGD : public Optimizer {
 public:
  /// ConfigError for options out of range, or Nesterov without momentum or with dampening.
  explicit SGD(const ParamGroups& groups, const SGDOptions& options = {});
  /// More parameters, with options of their own.
  void add_param_group(const ParamGroup& group, const SGDOptions& options);

 protected:
  std::vector<const char*> buffer_names() const override { return {"momentum_buffer"}; }
  bool uses_buffer(std::size_t group, std::size_t buffer) const override;
  std::vector<Setting> settings(std::size_t group) override;
  void update(const Rates& rates, Slot& slot, Tensor& parameter, const Tensor& gradient) override;

 private:
  std::vector<SGDOptions> options_;
};

}  // namespace evenkeel::optim
