#include <evenkeel/core/error.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/modern.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/upsample.h>

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel::nn {

namespace {

bool is_raising(const ConvModernOptions& options) {
  return options.scaler == Scaler::up && is_scaling(options);
}

template <int D>
void push_norm(Sequential& parts, const ConvModernOptions& options, std::int64_t planes) {
  if (options.normalizer == Normalizer::batch)
    parts.push_back(BatchNorm<D>({.num_features = planes, .dtype = options.dtype}));
  else
    parts.push_back(InstanceNorm<D>(
        {.num_features = planes, .affine = options.normalizer == Normalizer::pinst, .dtype = options.dtype}));
}

void push_activation(Sequential& parts, const ConvModernOptions& options, std::int64_t planes) {
  if (options.activator == Activator::prelu)
    parts.push_back(PReLU({.num_parameters = planes, .dtype = options.dtype}));
  else if (options.activator == Activator::relu)
    parts.push_back(ReLU());
}

template <int D>
void push_upsample(Sequential& parts, const ConvModernOptions& options) {
  UpsampleOptions upsample{.mode = static_cast<InterpolationMode>(D), .align_corners = true};
  if (options.output_size.is_set()) {
    upsample.size = options.output_size;
  } else {
    std::vector<double> factors;
    for (int axis = 0; axis < D; ++axis) factors.push_back(static_cast<double>(options.stride[axis]));
    upsample.scale_factor = Factors(std::span<const double>(factors));
  }
  parts.push_back(Upsample(upsample));
}

template <int D>
void push_conv(Sequential& parts, const ConvModernOptions& options, const Axes& kernel_size,
               const Axes& stride, const Axes& padding, Rng& rng) {
  parts.push_back(Conv<D>({.in_channels = options.in_planes,
                           .out_channels = options.out_planes,
                           .kernel_size = kernel_size,
                           .stride = stride,
                           .padding = padding,
                           .bias = options.normalizer == Normalizer::null,
                           .dtype = options.dtype},
                          rng));
}

}  // namespace

bool is_scaling(const ConvModernOptions& options) {
  for (int i = 0; i < options.stride.count(); ++i)
    if (options.stride[i] > 1) return true;
  return options.scaler == Scaler::up && options.output_size.is_set();
}

void check_modern(const std::string& layer, int rank, const ConvModernOptions& options) {
  if (options.in_planes < 1 || options.out_planes < 1)
    throw ConfigError(fmt::format("[{}] expected in_planes and out_planes of at least 1, got {} and {}",
                                  layer, options.in_planes, options.out_planes));
  check_conv(layer, rank,
             {.in_channels = options.in_planes,
              .out_channels = options.out_planes,
              .kernel_size = options.kernel_size,
              .stride = options.stride,
              .padding = options.padding,
              .dtype = options.dtype});
  if (!options.output_size.is_set()) return;
  if (options.scaler != Scaler::up)
    throw ConfigError(
        fmt::format("[{}] expected output_size with scaler up only, got it with down; the length after "
                    "down-scaling follows from stride and padding",
                    layer));
  options.output_size.over(rank, layer, "output_size", 1);
}

template <int D>
Sequential modern_branch(const ConvModernOptions& options, Rng& rng) {
  Sequential parts;
  const bool bare = options.normalizer == Normalizer::null;
  const bool norm_first = !bare && options.layer_order == LayerOrder::new_;
  if (norm_first) {
    push_norm<D>(parts, options, options.in_planes);
    push_activation(parts, options, options.in_planes);
  }
  if (is_raising(options)) push_upsample<D>(parts, options);
  push_conv<D>(parts, options, options.kernel_size, is_raising(options) ? Axes(1) : options.stride,
               options.padding, rng);
  if (!norm_first) {
    if (!bare) push_norm<D>(parts, options, options.out_planes);
    push_activation(parts, options, options.out_planes);
  }
  return parts;
}

template <int D>
Sequential modern_shortcut(const ConvModernOptions& options, Rng& rng) {
  Sequential parts;
  const bool is_up = options.scaler == Scaler::up;  // also by 1, where only the channels differ
  if (is_up) push_upsample<D>(parts, options);
  push_conv<D>(parts, options, 1, is_up ? Axes(1) : options.stride, 0, rng);
  if (options.normalizer != Normalizer::null) push_norm<D>(parts, options, options.out_planes);
  return parts;
}

template <int D>
ConvModern<D>::ConvModern(const ConvModernOptions& options, Rng& rng)
    : mconv_((check_modern(type_name(), D, options), add("mconv", modern_branch<D>(options, rng)))) {}

#define EVENKEEL_INSTANTIATE(D)                                         \
  template class ConvModern<D>;                                         \
  template Sequential modern_branch<D>(const ConvModernOptions&, Rng&); \
  template Sequential modern_shortcut<D>(const ConvModernOptions&, Rng&);
EVENKEEL_INSTANTIATE(1)
EVENKEEL_INSTANTIATE(2)
EVENKEEL_INSTANTIATE(3)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::nn
