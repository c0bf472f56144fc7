#pragma once

#include <evenkeel/analysis/trial.h>
#include <evenkeel/optim/optimizer.h>

#include <memory>
#include <string>
#include <vector>

namespace evenkeel::analysis {

/// A net and what trains it.
struct Trainee {
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<optim::Optimizer> optimizer;
};

/// Makes a net of the given width, its weights drawn from `rng`.
using MakeTrainee = std::function<Trainee(std::int64_t width, Rng& rng)>;

struct CoordCheckOptions {
  std::vector<std::int64_t> widths = {32, 64, 128, 256, 512};
  int seeds = 5;
  int steps = 4;
  double tolerance = 0.1;  ///< largest |slope| that counts as flat
};

/// How a change behaves with width.
struct CoordCurve {
  /// change[t][w]: root mean square of output after t + 1 steps minus output before the first, at widths[w];
  /// mean over the seeds.
  std::vector<std::vector<double>> change;
  /// By step: slope of log change over log width, fitted. 0 is flat, ½ grows as √width. NaN where a change is
  /// not finite, or 0 at some widths only.
  std::vector<double> slopes;
};

struct CoordLayer {
  std::string layer;  ///< dotted path; empty for the model itself
  CoordCurve total;   ///< the change that a step of the whole net makes
  /// The change that the layer's own weights make, its input being that before the first step: a layer that
  /// learns too little is hidden in `total` by the layers before it. Empty without parameters.
  CoordCurve own;
  bool is_flat = false;  ///< every slope of both is within the tolerance
};

struct CoordCheck {
  std::vector<std::int64_t> widths;
  std::vector<CoordLayer> layers;  ///< in the order of their calls

  bool is_flat() const;
  /// A table: slopes by layer and step, own weights in brackets, the verdict of each layer, and last that of
  /// the net.
  std::string text() const;
  /// {"widths": […], "flat": …, "layers": [{"layer", "total": {"change", "slopes"}, "own": {…}, "flat"}]}.
  std::string json() const;
  /// Change against width, a line a layer: a row a step, the total on the left, that by own weights on the
  /// right.
  std::string svg() const;
};

/// Whether a training step changes every layer's output by as much in a wide net as in a narrow one (the
/// coordinate check of arXiv 2203.03466, appendix D.1). Only then can a learning rate found on the narrow net
/// serve the wide one. Trains each net for some steps on one batch and watches every layer without children.
/// ConfigError for less than two widths, one seed or one step.
CoordCheck coord_check(const MakeTrainee& make, const Tensor& batch, const LossFunction& loss,
                       const CoordCheckOptions& options = {});

}  // namespace evenkeel::analysis
