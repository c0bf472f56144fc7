#pragma once

#include <evenkeel/nn/modern.h>

#include <vector>

namespace evenkeel::nn {

/// Arguments of the residual blocks: those of a modern layer. kernel_size and padding are the inner
/// convolutions'.
using BlockOptions = ConvModernOptions;

/// A chain of modern branches beside a shortcut: y = branches(x) + x, or + in_node(x) where the block scales
/// or changes the number of planes (arXiv 1512.03385).
class ResidualBlock : public Module {
 public:
  /// ShapeError if branches and shortcut give different shapes, as a strided block with an even kernel size
  /// does for some lengths.
  Tensor forward(const Tensor& x) override;

 protected:
  ResidualBlock() = default;
  void add_branch(Sequential branch);
  void add_shortcut(Sequential shortcut);

 private:
  std::vector<Module*> branches_;
  Module* in_node_ = nullptr;
};

/// conv1 (in_planes → in_planes) and conv2 (in_planes → out_planes, which scales).
template <int D>
class BlockPlain : public ResidualBlock {
 public:
  /// ConfigError for options that make no block; the text says what would be right.
  BlockPlain(const BlockOptions& options, Rng& rng);
  std::string type_name() const override { return "BlockPlain" + std::to_string(D) + "d"; }
};

/// conv1 (kernel size 1), conv2 (kernel_size, which scales), both in_planes → in_planes, and conv3 (kernel
/// size 1, in_planes → out_planes). It does not reduce the channels in between.
template <int D>
class BlockBottleneck : public ResidualBlock {
 public:
  /// ConfigError for options that make no block; the text says what would be right.
  BlockBottleneck(const BlockOptions& options, Rng& rng);
  std::string type_name() const override { return "BlockBottleneck" + std::to_string(D) + "d"; }
};

using BlockPlain1d = BlockPlain<1>;
using BlockPlain2d = BlockPlain<2>;
using BlockPlain3d = BlockPlain<3>;
using BlockBottleneck1d = BlockBottleneck<1>;
using BlockBottleneck2d = BlockBottleneck<2>;
using BlockBottleneck3d = BlockBottleneck<3>;

}  // namespace evenkeel::nn
