#pragma once

#include <evenkeel/nn/stack.h>

namespace evenkeel::nn {

// The networks of mdnc, over D spatial axes. `layers` are the units of each stage; each stage halves the size
// and all but the first double the planes. Inner kernels have kernel_size, the first and last two more; an
// axis with kernel size 1 is neither mixed nor scaled. Constructors throw ConfigError for options that make
// no network: families of residual blocks need odd kernel sizes.

struct UNetOptions {
  std::int64_t channel = 64;              ///< planes of the first stage
  std::vector<std::int64_t> layers = {};  ///< at least two stages
  Axes kernel_size = 3;
  std::int64_t in_planes = 1;
  std::int64_t out_planes = 1;
  NetFamily family = NetFamily::conv;
  DType dtype = DType::f32;
};
using AEOptions = UNetOptions;

/// Down, middle, up: x (N, in_planes, L…) -> (N, out_planes, L…).
template <int D>
class Hourglass : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  /// Convolutions along the longest path: the number in a preset's name.
  std::int64_t nlayers() const;

 protected:
  Hourglass(const std::string& layer, bool has_skips, const UNetOptions& options, Rng& rng);

 private:
  bool has_skips_;
  UNetOptions options_;
  Module* first_;
  ModuleList *down_list_, *up_list_;
  std::vector<Stack<D>*> down_, up_;
  Stack<D>* middle_;
  Module* last_;
};

/// With the down stages' hidden maps joined to the up stages' inputs, cropped to the shorter (arXiv
/// 1505.04597).
template <int D>
class UNet : public Hourglass<D> {
 public:
  UNet(const UNetOptions& options, Rng& rng)
      : Hourglass<D>("UNet" + std::to_string(D) + "d", true, options, rng) {}
  std::string type_name() const override { return "UNet" + std::to_string(D) + "d"; }
};

/// Without: an auto-encoder whose up stages are cropped to the sizes that the down stages had.
template <int D>
class AE : public Hourglass<D> {
 public:
  AE(const AEOptions& options, Rng& rng)
      : Hourglass<D>("AE" + std::to_string(D) + "d", false, options, rng) {}
  std::string type_name() const override { return "AE" + std::to_string(D) + "d"; }
};

struct EncoderNetOptions {
  std::int64_t channel = 64;
  std::vector<std::int64_t> layers = {};
  Axes kernel_size = 3;
  std::int64_t in_planes = 1;
  std::int64_t out_length = 2;  ///< 0: feature maps come out
  NetFamily family = NetFamily::conv;
  DType dtype = DType::f32;
};

/// x (N, in_planes, L…) -> (N, out_length): down stages, mean over space, a linear map.
template <int D>
class EncoderNet : public Module {
 public:
  EncoderNet(const EncoderNetOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "EncoderNet" + std::to_string(D) + "d"; }
  std::int64_t nlayers() const;

 private:
  EncoderNetOptions options_;
  ModuleList& body_;
  Module* fc_ = nullptr;
};

struct DecoderNetOptions {
  std::int64_t channel = 64;  ///< planes of the last stage
  std::vector<std::int64_t> layers = {};
  Axes out_size = Axes();
  Axes kernel_size = 3;
  std::int64_t in_length = 2;  ///< 0: feature maps go in
  std::int64_t out_planes = 1;
  NetFamily family = NetFamily::conv;
  DType dtype = DType::f32;
};

/// x (N, in_length) -> (N, out_planes, out_size…): a convolution makes the smallest map of the vector, up
/// stages the rest.
template <int D>
class DecoderNet : public Module {
 public:
  DecoderNet(const DecoderNetOptions& options, Rng& rng);
  Tensor forward(const Tensor& x) override;
  std::string type_name() const override { return "DecoderNet" + std::to_string(D) + "d"; }
  std::int64_t nlayers() const;
  /// Shape of one input without the batch axis.
  Shape input_size() const;

 private:
  DecoderNetOptions options_;
  std::vector<std::vector<std::int64_t>> sizes_;  // of the maps, largest first
  Module* in_ = nullptr;
  Module* first_;
  ModuleList* body_;
  Module* last_;
};

using UNet1d = UNet<1>;
using UNet2d = UNet<2>;
using UNet3d = UNet<3>;
using AE1d = AE<1>;
using AE2d = AE<2>;
using AE3d = AE<3>;
using EncoderNet1d = EncoderNet<1>;
using EncoderNet2d = EncoderNet<2>;
using EncoderNet3d = EncoderNet<3>;
using DecoderNet1d = DecoderNet<1>;
using DecoderNet2d = DecoderNet<2>;
using DecoderNet3d = DecoderNet<3>;

}  // namespace evenkeel::nn
