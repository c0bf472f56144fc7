#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/activation.h>
#include <evenkeel/nn/unit_scaled/conv.h>
#include <evenkeel/nn/unit_scaled/functional_activation.h>
#include <evenkeel/nn/unit_scaled/functional_linear.h>
#include <evenkeel/nn/unit_scaled/modern.h>
#include <evenkeel/nn/unit_scaled/norm.h>
#include <evenkeel/nn/unit_scaled/pooling.h>

namespace evenkeel::unit_scaled {

namespace {

using nn::Activator;
using nn::Normalizer;
using nn::Scaler;
using Options = nn::ConvModernOptions;

template <int D>
void push_norm(nn::Sequential& parts, const Options& options, std::int64_t planes) {
  const bool affine = options.normalizer == Normalizer::pinst;
  if (options.normalizer == Normalizer::batch)
    parts.push_back(BatchNorm<D>({.num_features = planes, .affine = true, .dtype = options.dtype}));
  else
    parts.push_back(InstanceNorm<D>({.num_features = planes, .affine = affine, .dtype = options.dtype}));
}

void push_activation(nn::Sequential& parts, const Options& options, std::int64_t planes,
                     Constraint constraint) {
  if (options.activator == Activator::prelu)
    parts.push_back(PReLU({.num_parameters = planes, .constraint = constraint, .dtype = options.dtype}));
  else if (options.activator == Activator::relu)
    parts.push_back(ReLU(constraint));
}

double mean_share(Activator activator) {
  return activator == Activator::null
             ? 0
             : mean_share_behind_prelu(activator == Activator::relu ? 0 : PReLUOptions().init);
}

template <int D>
void push_upsample(nn::Sequential& parts, const Options& options, Constraint constraint,
                   double mean_share = 0) {
  nn::UpsampleOptions upsample{.mode = static_cast<InterpolationMode>(D), .align_corners = true};
  if (options.output_size.is_set()) {
    upsample.size = options.output_size;
  } else {
    std::array<double, D> factors;
    for (int axis = 0; axis < D; ++axis)
      factors[static_cast<std::size_t>(axis)] = static_cast<double>(options.stride[axis]);
    upsample.scale_factor = Factors(std::span<const double>(factors));
  }
  parts.push_back(Upsample(upsample, constraint, mean_share));
}

template <int D>
void push_conv(nn::Sequential& parts, const Options& options, bool is_raised, Constraint constraint,
               Rng& rng) {
  const ConvOptions conv{.in_channels = options.in_planes,
                         .out_channels = options.out_planes,
                         .kernel_size = options.kernel_size,
                         .stride = is_raised ? Axes(1) : options.stride,
                         .padding = options.padding,
                         .bias = options.normalizer == Normalizer::null,
                         .constraint = constraint,
                         .dtype = options.dtype};
  if constexpr (D == 1) parts.push_back(Conv1d(conv, rng));
  if constexpr (D == 2) parts.push_back(Conv2d(conv, rng));
  if constexpr (D == 3) parts.push_back(Conv3d(conv, rng));
}

/// The parts of a modern layer. Behind an activation, its mean becomes deviation in the convolution's output:
/// the activation is scaled against that, except where a norm follows, which takes a channel's mean away
/// again.
template <int D>
nn::Sequential branch(const Options& options, Constraint constraint, bool feeds_norm, Rng& rng) {
  nn::Sequential parts;
  const bool bare = options.normalizer == Normalizer::null;
  const bool norm_first = !bare && options.layer_order == nn::LayerOrder::new_;
  const bool is_raised = options.scaler == Scaler::up && nn::is_scaling(options);
  if (norm_first) {
    push_norm<D>(parts, options, options.in_planes);
    push_activation(parts, options, options.in_planes,
                    feeds_norm ? constraint : Constraint::to_grad_input_scale);
  }
  if (is_raised)
    push_upsample<D>(parts, options, constraint,
                     norm_first && !feeds_norm ? mean_share(options.activator) : 0);
  push_conv<D>(parts, options, is_raised, constraint, rng);
  if (norm_first) return parts;
  if (!bare) push_norm<D>(parts, options, options.out_planes);
  push_activation(parts, options, options.out_planes, constraint);
  return parts;
}

Options with_kernel_one(Options options) {
  options.kernel_size = 1;
  options.padding = 0;
  return options;
}

/// The options without what scales.
Options unscaled(Options options) {
  options.stride = 1;
  options.output_size = Axes();
  options.scaler = Scaler::down;
  return options;
}

Options with_planes(Options options, std::int64_t out_planes) {
  options.out_planes = out_planes;
  return options;
}

template <int D>
nn::Sequential shortcut(const Options& options, Constraint constraint, Rng& rng) {
  nn::Sequential parts;
  const bool is_up = options.scaler == Scaler::up;
  if (is_up) push_upsample<D>(parts, options, constraint);
  push_conv<D>(parts, with_kernel_one(options), is_up, constraint, rng);
  if (options.normalizer != Normalizer::null) push_norm<D>(parts, options, options.out_planes);
  return parts;
}

bool needs_shortcut(const Options& options) {
  return nn::is_scaling(options) || options.in_planes != options.out_planes;
}

}  // namespace

template <int D>
ConvModern<D>::ConvModern(const Options& options, Rng& rng, Constraint constraint)
    : mconv_((nn::check_modern("unit_scaled." + type_name(), D, options),
              add("mconv", branch<D>(options, constraint, false, rng)))) {}

void ResidualBlock::add_branch(nn::Sequential branch) {
  branches_.push_back(&add("conv" + std::to_string(branches_.size() + 1), std::move(branch)));
}

void ResidualBlock::add_shortcut(nn::Sequential shortcut) { in_node_ = &add("in_node", std::move(shortcut)); }

Tensor ResidualBlock::forward(const Tensor& x) {
  auto [residual, skip] = residual_split(x, tau_);
  for (nn::Module* branch : branches_) residual = (*branch)(residual);
  if (in_node_ != nullptr) skip = (*in_node_)(skip);
  if (residual.shape() != skip.shape())
    throw ShapeError("[unit_scaled." + type_name() + "] expected branches and shortcut of one shape, got " +
                     residual.shape().str() + " and " + skip.shape().str() +
                     "; padding must be half of an odd kernel_size");
  return residual_add(residual, skip, tau_);
}

template <int D>
BlockPlain<D>::BlockPlain(const nn::BlockOptions& options, Rng& rng, const ResidualOptions& residual)
    : ResidualBlock(residual.tau) {
  nn::check_modern("unit_scaled." + type_name(), D, options);
  const Constraint constraint = residual.constraint;
  add_branch(branch<D>(with_planes(unscaled(options), options.in_planes), constraint, true, rng));
  add_branch(branch<D>(options, constraint, false, rng));
  if (needs_shortcut(options)) add_shortcut(shortcut<D>(options, constraint, rng));
}

template <int D>
BlockBottleneck<D>::BlockBottleneck(const nn::BlockOptions& options, Rng& rng,
                                    const ResidualOptions& residual)
    : ResidualBlock(residual.tau) {
  nn::check_modern("unit_scaled." + type_name(), D, options);
  const Constraint constraint = residual.constraint;
  add_branch(
      branch<D>(with_planes(with_kernel_one(unscaled(options)), options.in_planes), constraint, true, rng));
  add_branch(branch<D>(with_planes(options, options.in_planes), constraint, true, rng));
  add_branch(branch<D>(with_kernel_one(unscaled(options)), constraint, false, rng));
  if (needs_shortcut(options)) add_shortcut(shortcut<D>(options, constraint, rng));
}

template class ConvModern<1>;
template class ConvModern<2>;
template class ConvModern<3>;
template class BlockPlain<1>;
template class BlockPlain<2>;
template class BlockPlain<3>;
template class BlockBottleneck<1>;
template class BlockBottleneck<2>;
template class BlockBottleneck<3>;

}  // namespace evenkeel::unit_scaled
