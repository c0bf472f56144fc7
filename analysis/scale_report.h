#pragma once

#include <evenkeel/analysis/scale_stats.h>
#include <evenkeel/analysis/trial.h>

#include <optional>
#include <string>
#include <vector>

namespace evenkeel::analysis {

/// The scales of one op's output, a parameter, or the model's input.
struct ScaleRow {
  std::string layer;  ///< dotted path; empty for the model itself, "loss" for the loss
  std::string name;   ///< of the op, or of the parameter in its layer; "input"
  bool is_parameter = false;
  Shape shape;
  ScaleStats forward;
  std::optional<ScaleStats> backward;  ///< of the gradient with respect to it; none if none reached it
};

/// How large the numbers are everywhere in one training step.
struct ScaleReport {
  std::vector<ScaleRow> rows;  ///< as computed; a layer's parameters stand before its first op

  /// One line a row: "conv1  conv  [64, 16, 14, 14]  (-> 1.03, <- 0.98)", and the shares that are not zero.
  std::string text() const;
  /// {"rows": [{"layer", "name", "kind": "input", "op" or "parameter", "shape", "forward": {…}, "backward":
  /// {…} or null}]}, with the names of ScaleStats; a deviation that is not finite is null.
  std::string json() const;
  /// Deviations forward and backward, a line a row, over the ranges of E4M3 and E5M2.
  std::string svg() const;
};

/// Runs one forward and backward of `model` on `batch` and measures every recorded op and every parameter, as
/// published for unit scaling (arXiv 2303.11257). Without a loss, the gradient of the output is drawn from
/// N(0, 1). Gradients and buffers of the model stay as they were.
ScaleReport scale_report(nn::Module& model, const Tensor& batch, const LossFunction& loss = {});

}  // namespace evenkeel::analysis
