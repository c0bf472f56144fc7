#pragma once

#include <evenkeel/nn/module.h>

namespace evenkeel::nn {

/// Modules one after the other; children are named "0", "1", ….
class Sequential : public Module {
 public:
  /// Sequential net(Conv1d({…}, rng), ReLU(), …).
  template <class... Modules>
  explicit Sequential(Modules... modules) {
    (push_back(std::move(modules)), ...);
  }

  template <class M>
  M& push_back(M module) {
    return add(std::to_string(children().size()), std::move(module));
  }
  Module& push_back(std::unique_ptr<Module> module) {
    return add_child(std::to_string(children().size()), std::move(module));
  }
  Tensor forward(const Tensor& x) override;
  bool has_forward() const override { return false; }
};

}  // namespace evenkeel::nn
