#include <evenkeel/core/error.h>
#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/nn/resnet.h>

#include <cstdlib>

namespace evenkeel::nn {

namespace {

/// The options of a branch that keeps the size, in_planes → out_planes.
BlockOptions unscaled(BlockOptions options, std::int64_t out_planes) {
  options.out_planes = out_planes;
  options.stride = 1;
  options.output_size = Axes();
  options.scaler = Scaler::down;
  return options;
}

BlockOptions projection(BlockOptions options, std::int64_t out_planes) {
  options = unscaled(options, out_planes);
  options.kernel_size = 1;
  options.padding = 0;
  return options;
}

BlockOptions with_planes(BlockOptions options, std::int64_t out_planes) {
  options.out_planes = out_planes;
  return options;
}

/// Whether `convolutions` of the kernel, the last with the stride, can give what the shortcut gives for some
/// length along an axis.
bool can_meet(const BlockOptions& options, int axis, std::int64_t convolutions) {
  const std::int64_t growth = convolutions * (2 * options.padding[axis] - options.kernel_size[axis] + 1);
  if (growth == 0) return true;
  if (options.scaler == Scaler::up) return false;
  const std::int64_t stride = options.stride[axis], long_enough = stride * (1 + std::abs(growth));
  for (std::int64_t last = long_enough; last < long_enough + stride; ++last)
    if ((last + growth) / stride == last / stride) return true;
  return false;
}

void check_block(const std::string& layer, int rank, const BlockOptions& options, std::int64_t convolutions) {
  check_modern(layer, rank, options);
  for (int axis = 0; axis < rank; ++axis)
    if (!can_meet(options, axis, convolutions))
      throw ConfigError("[" + layer +
                        "] expected an odd kernel_size and half of it as padding, so that branches and "
                        "shortcut get one length, got kernel_size " +
                        options.kernel_size.str() + " and padding " + options.padding.str());
}

bool needs_shortcut(const BlockOptions& options) {
  return is_scaling(options) || options.in_planes != options.out_planes;
}

}  // namespace

void ResidualBlock::add_branch(Sequential branch) {
  branches_.push_back(&add("conv" + std::to_string(branches_.size() + 1), std::move(branch)));
}

void ResidualBlock::add_shortcut(Sequential shortcut) { in_node_ = &add("in_node", std::move(shortcut)); }

Tensor ResidualBlock::forward(const Tensor& x) {
  Tensor out = x;
  for (Module* branch : branches_) out = (*branch)(out);
  const Tensor shortcut = in_node_ != nullptr ? (*in_node_)(x) : x;
  if (out.shape() != shortcut.shape())
    throw ShapeError("[" + type_name() + "] expected branches and shortcut of one shape, got " +
                     out.shape().str() + " and " + shortcut.shape().str() +
                     "; padding must be half of an odd kernel_size");
  return out + shortcut;
}

template <int D>
BlockPlain<D>::BlockPlain(const BlockOptions& options, Rng& rng) {
  check_block(type_name(), D, options, 2);
  add_branch(modern_branch<D>(unscaled(options, options.in_planes), rng));
  add_branch(modern_branch<D>(options, rng));
  if (needs_shortcut(options)) add_shortcut(modern_shortcut<D>(options, rng));
}

template <int D>
BlockBottleneck<D>::BlockBottleneck(const BlockOptions& options, Rng& rng) {
  check_block(type_name(), D, options, 1);
  add_branch(modern_branch<D>(projection(options, options.in_planes), rng));
  add_branch(modern_branch<D>(with_planes(options, options.in_planes), rng));
  add_branch(modern_branch<D>(projection(options, options.out_planes), rng));
  if (needs_shortcut(options)) add_shortcut(modern_shortcut<D>(options, rng));
}

template class BlockPlain<1>;
template class BlockPlain<2>;
template class BlockPlain<3>;
template class BlockBottleneck<1>;
template class BlockBottleneck<2>;
template class BlockBottleneck<3>;

}  // namespace evenkeel::nn
