#pragma once

#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

namespace evenkeel::unit_scaled {

// The layers of nn/modern.h and nn/resnet.h of unit-scaled parts, with the same options and names of
// parameters. The activation before the last convolution is tied to its gradient's scale: its output then has
// mean square 1, which is what makes the convolution's deviation 1 (a ReLU's output has a mean, which random
// weights turn into deviation). With μP's rates prefer Normalizer::inst and Activator::relu: weights and
// slopes of norms and PReLU move at the base rate.

/// One modern convolutional layer.
template <int D>
class ConvModern : public nn::Module {
 public:
  /// ConfigError for options that make no layer.
  ConvModern(const nn::ConvModernOptions& options, Rng& rng,
             Constraint constraint = Constraint::to_output_scale);
  Tensor forward(const Tensor& x) override { return mconv_(x); }
  std::string type_name() const override { return "ConvModern" + std::to_string(D) + "d"; }

 private:
  nn::Sequential& mconv_;
};

struct ResidualOptions {
  double tau = 1;  ///< weight of the branches against the shortcut
  Constraint constraint = Constraint::to_output_scale;
};

/// Branches beside a shortcut, joined by residual_add(): the output has unit scale, and so have the gradients
/// in the branches.
class ResidualBlock : public nn::Module {
 public:
  /// ShapeError if branches and shortcut give different shapes.
  Tensor forward(const Tensor& x) override;

 protected:
  explicit ResidualBlock(double tau) : tau_(tau) {}
  void add_branch(nn::Sequential branch);
  void add_shortcut(nn::Sequential shortcut);

 private:
  double tau_;
  std::vector<nn::Module*> branches_;
  nn::Module* in_node_ = nullptr;
};

template <int D>
class BlockPlain : public ResidualBlock {
 public:
  BlockPlain(const nn::BlockOptions& options, Rng& rng, const ResidualOptions& residual = {});
  std::string type_name() const override { return "BlockPlain" + std::to_string(D) + "d"; }
};

template <int D>
class BlockBottleneck : public ResidualBlock {
 public:
  BlockBottleneck(const nn::BlockOptions& options, Rng& rng, const ResidualOptions& residual = {});
  std::string type_name() const override { return "BlockBottleneck" + std::to_string(D) + "d"; }
};

using ConvModern1d = ConvModern<1>;
using ConvModern2d = ConvModern<2>;
using ConvModern3d = ConvModern<3>;
using BlockPlain1d = BlockPlain<1>;
using BlockPlain2d = BlockPlain<2>;
using BlockPlain3d = BlockPlain<3>;
using BlockBottleneck1d = BlockBottleneck<1>;
using BlockBottleneck2d = BlockBottleneck<2>;
using BlockBottleneck3d = BlockBottleneck<3>;

}  // namespace evenkeel::unit_scaled
