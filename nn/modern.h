#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/nn/sequential.h>

namespace evenkeel::nn {

// The modern convolutional layer of mdnc: a convolution with normalisation, activation and scaling in one, in
// the order of He et al. 2016 (arXiv 1603.05027).

/// Batch norm; instance norm without parameters; instance norm with weight and bias; or none.
enum class Normalizer : std::uint8_t { null, batch, inst, pinst };
/// One slope a channel; ReLU; or none.
enum class Activator : std::uint8_t { prelu, relu, null };
/// Norm → activation → convolution ("pre-activation"), or convolution → norm → activation.
enum class LayerOrder : std::uint8_t { new_, old };
/// What a stride does: the convolution takes it, or the input is up-sampled (linearly, corners aligned) and
/// the convolution's stride is 1. Neither is a transposed convolution.
enum class Scaler : std::uint8_t { down, up };

struct ConvModernOptions {
  std::int64_t in_planes = 0;
  std::int64_t out_planes = 0;
  Axes kernel_size = 3;
  Axes stride = 1;
  Axes padding = 1;
  Axes output_size = Axes();  ///< of the up-sampling, instead of stride; with scaler up only
  Normalizer normalizer = Normalizer::pinst;
  Activator activator = Activator::prelu;
  LayerOrder layer_order = LayerOrder::new_;  ///< without a normalizer always convolution → activation
  Scaler scaler = Scaler::down;
  DType dtype = DType::f32;
};

/// x (N, in_planes, L…) with D spatial axes -> (N, out_planes, L_out…). The parts are the children 0, 1, … of
/// the child `mconv`; only without a normalizer has the convolution a bias.
template <int D>
class ConvModern : public Module {
 public:
  /// ConfigError for options that make no layer; the text says what would be right.
  ConvModern(const ConvModernOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override { return mconv_(x); }
  std::string type_name() const override { return "ConvModern" + std::to_string(D) + "d"; }

 private:
  Sequential& mconv_;
};

using ConvModern1d = ConvModern<1>;
using ConvModern2d = ConvModern<2>;
using ConvModern3d = ConvModern<3>;

/// ConfigError in the name of `layer` unless the options make a modern layer over `rank` axes.
void check_modern(const std::string& layer, int rank, const ConvModernOptions& options);
/// The parts of a modern layer, in order.
template <int D>
Sequential modern_branch(const ConvModernOptions& options, Rng& rng);
/// The shortcut of a residual block with these options: [up-sampling] → convolution of kernel size 1 → norm.
template <int D>
Sequential modern_shortcut(const ConvModernOptions& options, Rng& rng);
/// Whether the layer changes the number of cells: a stride above 1, or an output size with scaler up.
bool is_scaling(const ConvModernOptions& options);

}  // namespace evenkeel::nn
