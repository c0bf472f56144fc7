#pragma once

#include <evenkeel/nn/modern.h>

#include <memory>
#include <string>
#include <vector>

namespace evenkeel::nn {

// Parts of the mdnc networks (nn/unet.h).

/// What the networks are built of: ConvModern, BlockPlain or BlockBottleneck.
enum class NetFamily : std::uint8_t { conv, plain, bottleneck };

/// Modules under the names 0, 1, …; the parent calls them.
class ModuleList : public Module {
 public:
  template <class M>
  M& push_back(M module) {
    return add(std::to_string(children().size()), std::move(module));
  }
  Module& push_back(std::unique_ptr<Module> module) {
    return add_child(std::to_string(children().size()), std::move(module));
  }
  bool has_forward() const override { return false; }
};

/// Kernel, padding and stride inside a network, one number an axis. An axis of kernel size 1 is left alone.
struct NetGeometry {
  Axes kernel_size, padding, stride;
};
/// Of kernels `plus` wider than kernel_size; the padding is half of it.
NetGeometry net_geometry(int rank, const Axes& kernel_size, std::int64_t plus = 0);

/// The middle of x (N, C, L…) on each spatial axis that is longer than asked.
Tensor crop_middle(const Tensor& x, const std::vector<std::int64_t>& sizes);

struct StackOptions {
  NetFamily family = NetFamily::conv;
  std::int64_t in_planes = 0;
  std::int64_t hidden_planes = 0;
  std::int64_t out_planes = 0;
  std::int64_t level = 1;  ///< number of units
  NetGeometry geometry = {};
  Scaler scaler = Scaler::down;
  DType dtype = DType::f32;
};

/// `level` units in a row: conv_list (in_planes → hidden_planes, stride 1), then conv_scale (→ out_planes),
/// which takes the stride.
template <int D>
class Stack : public Module {
 public:
  Stack(const StackOptions& options, Rng& rng);
  /// What goes into conv_scale.
  Tensor hidden(const Tensor& x);
  Tensor scaled(const Tensor& hidden);
  Tensor forward(const Tensor& x) override { return scaled(hidden(x)); }
  std::string type_name() const override { return "Stack" + std::to_string(D) + "d"; }

 private:
  ModuleList& list_;
  std::vector<Module*> units_;
  Module* scale_;
};

}  // namespace evenkeel::nn
