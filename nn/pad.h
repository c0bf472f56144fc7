#pragma once

#include <evenkeel/core/ops/pad.h>
#include <evenkeel/nn/module.h>

#include <vector>

namespace evenkeel::nn {

struct PadOptions {
  std::vector<std::int64_t> padding = {};  ///< one number for all sides, or two an axis, the last axis first
  double value = 0;                        ///< ConstantPad only
};

/// pad() of x (N, C, L…) or unbatched (C, L…) with D spatial axes.
template <int D, PadMode mode>
class Pad : public Module {
 public:
  /// ConfigError unless one or 2·D numbers are given, none negative but for ConstantPad.
  explicit Pad(const PadOptions& options);
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override;
  std::string extra_repr() const override;

 private:
  PadOptions options_;
};

using ConstantPad1d = Pad<1, PadMode::constant>;
using ConstantPad2d = Pad<2, PadMode::constant>;
using ConstantPad3d = Pad<3, PadMode::constant>;
using ReflectionPad1d = Pad<1, PadMode::reflect>;
using ReflectionPad2d = Pad<2, PadMode::reflect>;
using ReflectionPad3d = Pad<3, PadMode::reflect>;
using ReplicationPad1d = Pad<1, PadMode::replicate>;
using ReplicationPad2d = Pad<2, PadMode::replicate>;
using ReplicationPad3d = Pad<3, PadMode::replicate>;
using CircularPad1d = Pad<1, PadMode::circular>;
using CircularPad2d = Pad<2, PadMode::circular>;
using CircularPad3d = Pad<3, PadMode::circular>;

}  // namespace evenkeel::nn
