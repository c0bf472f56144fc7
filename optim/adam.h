#pragma once

#include <evenkeel/optim/optimizer.h>

namespace evenkeel::optim {

struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
};

struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
};

/// Adam (arXiv 1412.6980) as torch.optim.Adam; weight decay is added to the gradient.
class Adam : public Optimizer {
 public:
  /// ConfigError for options out of range.
  explicit Adam(const ParamGroups& groups, const AdamOptions& options = {});
  /// More parameters, with options of their own.
  void add_param_group(const ParamGroup& group, const AdamOptions& options);

 protected:
  explicit Adam(bool decoupled) : Optimizer(StepRule::adam), decoupled_(decoupled) {}
  std::vector<const char*> buffer_names() const override {
    return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  }
  bool uses_buffer(std::size_t group, std::size_t buffer) const override;
  std::vector<Setting> settings(std::size_t group) override;
  void update(const Rates& rates, Slot& slot, Tensor& parameter, const Tensor& gradient) override;

 private:
  bool decoupled_ = false;
  std::vector<AdamOptions> options_;
};

/// Adam whose weight decay shrinks the parameter itself (arXiv 1711.05101), as torch.optim.AdamW.
class AdamW : public Adam {
 public:
  explicit AdamW(const ParamGroups& groups, const AdamWOptions& options = {});
  void add_param_group(const ParamGroup& group, const AdamWOptions& options);
};

}  // namespace evenkeel::optim
