#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/optim.h>
#include <evenkeel/optim/sgd.h>

#include <limits>

namespace evenkeel::optim {

SGD::SGD(const ParamGroups& groups, const SGDOptions& options) : Optimizer(StepRule::sgd) {
  for (const ParamGroup& group : groups) add_param_group(group, options);
}

void SGD::add_param_group(const ParamGroup& group, const SGDOptions& options) {
  detail::check_range("SGD", "momentum", options.momentum, 0, std::numeric_limits<double>::infinity());
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    throw ConfigError("[SGD] expected momentum and no dampening with nesterov, got momentum " +
                      std::to_string(options.momentum) + ", dampening " + std::to_string(options.dampening));
  add_group(group, options.lr, options.weight_decay);
  options_.push_back(options);
}

bool SGD::uses_buffer(std::size_t group, std::size_t buffer) const {
  return buffer == 0 && options_[group].momentum != 0;
}

std::vector<Optimizer::Setting> SGD::settings(std::size_t group) {
  return {{"momentum", &options_[group].momentum}, {"dampening", &options_[group].dampening}};
}

void SGD::update(const Rates& rates, Slot& slot, Tensor& parameter, const Tensor& gradient) {
  const SGDOptions& options = options_[rates.group];
  const kernels::SgdStep step{.lr = rates.lr,
                              .momentum = options.momentum,
                              .dampening = options.dampening,
                              .weight_decay = rates.weight_decay,
                              .nesterov = options.nesterov,
                              .first = slot.step == 1};
  evenkeel::detail::dispatch_floating("SGD", parameter.dtype(), [&]<class T>() {
    Tensor& buffer = slot.buffers[0];
    kernels::sgd_step<T>(step, parameter.numel(), parameter.mutable_data<T>(), gradient.data<T>(),
                         buffer.defined() ? buffer.mutable_data<T>() : nullptr);
  });
}

}  // namespace evenkeel::optim
