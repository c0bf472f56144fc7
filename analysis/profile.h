#pragma once

#include <evenkeel/analysis/trial.h>

#include <string>
#include <vector>

namespace evenkeel::analysis {

/// What one direction of one layer costs in one step.
struct Cost {
  double seconds = 0;
  double flops = 0;  ///< of convolutions and matrix products; an addition and a multiplication are two
  double bytes = 0;  ///< each op's inputs and outputs once (backward: gradients too): the least it must move
};

struct LayerCost {
  std::string layer;  ///< dotted path; empty for ops of the model itself, "loss" for the loss
  Cost forward, backward;
};

struct Profile {
  std::vector<LayerCost>
      layers;       ///< each layer's own ops, not its children's, in the order of their first op
  LayerCost total;  ///< the sums

  /// A table: milliseconds, share of the step, GFLOP/s and bytes, forward and backward.
  std::string text() const;
  /// {"layers": [{"layer", "forward": {"seconds", "flops", "bytes"}, "backward": {…}}], "total": {…}}.
  std::string json() const;
};

struct ProfileOptions {
  int runs = 5;            ///< steps measured, after one that is not; a layer's time is their median
  LossFunction loss = {};  ///< without it the output's gradient is drawn from N(0, 1)
};

/// Measures where the time of a training step goes: forward and backward of `model` on `batch`, without the
/// optimiser. Every layer runs by itself, also where Sequential would join a norm and its activation in one
/// pass. Gradients and buffers of the model stay as they were. ConfigError for less than one run.
Profile profile(nn::Module& model, const Tensor& batch, const ProfileOptions& options = {});

}  // namespace evenkeel::analysis
