#pragma once

#include <evenkeel/nn/sequential.h>

namespace evenkeel::unit_scaled {

// Containers of the layers of a residual stack. They set mup_scaling_depth of every parameter below to the
// number of their children, so that μP optimisers divide its rate by √depth. Nested containers multiply. A
// parameter without μP type is a ConfigError.

class DepthSequential : public nn::Module {
 public:
  /// DepthSequential stack(Linear({…}, rng), SiLU(), …).
  template <class... Modules>
  explicit DepthSequential(Modules... modules) {
    (push_back(std::move(modules)), ...);
  }

  template <class M>
  M& push_back(M module) {
    return static_cast<M&>(append(std::make_unique<M>(std::move(module))));
  }
  nn::Module& push_back(std::unique_ptr<nn::Module> module) { return append(std::move(module)); }
  /// The modules one after the other.
  Tensor forward(const Tensor& x) override;

 private:
  nn::Module& append(std::unique_ptr<nn::Module> module);
};

/// Modules that the owner calls itself, by child("0") or children().
class DepthModuleList : public DepthSequential {
 public:
  using DepthSequential::DepthSequential;
  /// ConfigError: a list has no forward.
  Tensor forward(const Tensor& x) override {
    return Module::forward(x);  // NOLINT(bugprone-parent-virtual-call): the parent's would run the list
  }
  bool has_forward() const override { return false; }
};

}  // namespace evenkeel::unit_scaled
