#include <evenkeel/core/kernels/optim.h>
#include <evenkeel/optim/adam.h>

#include <limits>

namespace evenkeel::optim {

Adam::Adam(const ParamGroups& groups, const AdamOptions& options) : Optimizer(StepRule::adam) {
  for (const ParamGroup& group : groups) add_param_group(group, options);
}

void Adam::add_param_group(const ParamGroup& group, const AdamOptions& options) {
  const char* who = decoupled_ ? "AdamW" : "Adam";
  detail::check_range(who, "betas[0]", options.betas[0], 0, 1);
  detail::check_range(who, "betas[1]", options.betas[1], 0, 1);
  detail::check_range(who, "eps", options.eps, 0, std::numeric_limits<double>::infinity());
  add_group(group, options.lr, options.weight_decay);
  options_.push_back(options);
}

bool Adam::uses_buffer(std::size_t group, std::size_t buffer) const {
  return buffer < 2 || options_[group].amsgrad;
}

std::vector<Optimizer::Setting> Adam::settings(std::size_t group) {
  AdamOptions& options = options_[group];
  return {{"beta1", &options.betas[0]}, {"beta2", &options.betas[1]}, {"eps", &options.eps}};
}

void Adam::update(const Rates& rates, Slot& slot, Tensor& parameter, const Tensor& gradient) {
  const AdamOptions& options = options_[rates.group];
  const kernels::AdamStep step{.lr = rates.lr,
                               .beta1 = options.betas[0],
                               .beta2 = options.betas[1],
                               .eps = options.eps,
                               .weight_decay = rates.weight_decay,
                               .decoupled = decoupled_,
                               .step = slot.step};
  evenkeel::detail::dispatch_floating("Adam", parameter.dtype(), [&]<class T>() {
    auto& [average, square, largest] = slot.buffers;
    kernels::adam_step<T>(step, parameter.numel(), parameter.mutable_data<T>(), gradient.data<T>(),
                          average.mutable_data<T>(), square.mutable_data<T>(),
                          largest.defined() ? largest.mutable_data<T>() : nullptr);
  });
}

AdamW::AdamW(const ParamGroups& groups, const AdamWOptions& options) : Adam(true) {
  for (const ParamGroup& group : groups) add_param_group(group, options);
}

void AdamW::add_param_group(const ParamGroup& group, const AdamWOptions& options) {
  Adam::add_param_group(group,
                        {options.lr, options.betas, options.eps, options.weight_decay, options.amsgrad});
}

}  // namespace evenkeel::optim
