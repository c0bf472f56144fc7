#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops/reduce.h>
#include <evenkeel/core/ops/shape.h>
#include <evenkeel/nn/check.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/unet.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace evenkeel::nn {

namespace {

std::int64_t unit_depth(NetFamily family) { return 1 + static_cast<std::int64_t>(family); }

template <class Options>
void check_net(const std::string& layer, int rank, std::size_t least_stages, std::int64_t planes,
               std::int64_t length, const Options& options) {
  if (options.layers.size() < least_stages ||
      std::any_of(options.layers.begin(), options.layers.end(), [](std::int64_t level) { return level < 1; }))
    throw ConfigError(
        fmt::format("[{}] expected layers of at least {} stages with at least 1 unit each, got {}", layer,
                    least_stages, fmt::format("[{}]", fmt::join(options.layers, ", "))));
  if (options.channel < 1 || planes < 1 || length < 0)
    throw ConfigError(fmt::format(
        "[{}] expected channel and planes of at least 1 and no negative length, got {}, {} and {}", layer,
        options.channel, planes, length));
  check_floating(layer, options.dtype);
  options.kernel_size.over(rank, layer, "kernel_size", 1);
  for (int axis = 0; axis < rank; ++axis)
    if (options.family != NetFamily::conv && options.kernel_size[axis] % 2 == 0)
      throw ConfigError(
          fmt::format("[{}] expected an odd kernel_size with residual blocks (an even one changes the length "
                      "of the branches), got {}",
                      layer, options.kernel_size.str()));
}

std::vector<std::int64_t> spatial(const Tensor& x) { return {x.shape().begin() + 2, x.shape().end()}; }

template <int D>
Conv<D> make_conv(std::int64_t in, std::int64_t out, const NetGeometry& geometry, bool bias, DType dtype,
                  Rng& rng) {
  return Conv<D>({.in_channels = in,
                  .out_channels = out,
                  .kernel_size = geometry.kernel_size,
                  .padding = geometry.padding,
                  .bias = bias,
                  .dtype = dtype},
                 rng);
}

std::int64_t sum_of(const std::vector<std::int64_t>& layers) {
  return std::accumulate(layers.begin(), layers.end(), std::int64_t{0});
}

}  // namespace

template <int D>
Hourglass<D>::Hourglass(const std::string& layer, bool has_skips, const UNetOptions& options, Rng& rng)
    : has_skips_(has_skips), options_(options) {
  check_net(layer, D, 2, std::min(options.in_planes, options.out_planes), 0, options);
  const auto& [channel, layers, kernel_size, in_planes, out_planes, family, dtype] = options_;
  const NetGeometry inside = net_geometry(D, kernel_size), wide = net_geometry(D, kernel_size, 2);
  StackOptions stack{.family = family, .geometry = inside, .dtype = dtype};
  first_ = &this->add("conv_first", make_conv<D>(in_planes, channel, wide, false, dtype, rng));
  down_list_ = &this->add("conv_down_list", ModuleList());
  up_list_ = &this->add("conv_up_list", ModuleList());
  const auto push = [&](ModuleList& list, std::int64_t in, std::int64_t hidden, std::int64_t out,
                        std::int64_t level) {
    stack.in_planes = in;
    stack.hidden_planes = hidden;
    stack.out_planes = out;
    stack.level = level;
    return &list.push_back(Stack<D>(stack, rng));
  };
  std::int64_t planes = channel;
  std::vector<std::int64_t> skips;  // planes of the hidden maps: a stack of one unit hands on its input
  for (std::size_t stage = 0; stage + 1 < layers.size(); ++stage) {
    const std::int64_t wider = stage == 0 ? planes : 2 * planes;
    down_.push_back(push(*down_list_, planes, wider, wider, layers[stage]));
    skips.push_back(!has_skips ? 0 : layers[stage] == 1 ? planes : wider);
    planes = wider;
  }
  stack.scaler = Scaler::up;
  stack.in_planes = stack.out_planes = planes;
  stack.hidden_planes = 2 * planes;
  stack.level = layers.back();
  middle_ = &this->add("conv_middle_up", Stack<D>(stack, rng));
  for (std::size_t stage = layers.size() - 2; stage > 0; --stage, planes /= 2)
    up_.push_back(push(*up_list_, planes + skips[stage], planes, planes / 2, layers[stage]));
  stack.scaler = Scaler::down;
  stack.geometry.stride = 1;
  up_.push_back(push(*up_list_, planes + skips[0], planes, planes, layers[0]));
  last_ = &this->add("conv_final", make_conv<D>(planes, out_planes, wide, true, dtype, rng));
}

template <int D>
Tensor Hourglass<D>::forward(const Tensor& input) {
  using evenkeel::detail::LayerPathScope;
  Tensor x = (*first_)(input);
  std::vector<std::vector<std::int64_t>> sizes;
  std::vector<Tensor> skips;
  for (Stack<D>* stack : down_) {
    const LayerPathScope list(down_list_->name()), item(stack->name());
    sizes.push_back(spatial(x));
    const Tensor hidden = stack->hidden(x);
    skips.push_back(has_skips_ ? hidden : Tensor());
    x = stack->scaled(hidden);
  }
  x = (*middle_)(x);
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const LayerPathScope list(up_list_->name());
    const std::size_t stage = down_.size() - 1 - i;
    if (has_skips_) {
      std::vector<std::int64_t> common = spatial(x), other = spatial(skips[stage]);
      for (std::size_t axis = 0; axis < common.size(); ++axis)
        common[axis] = std::min(common[axis], other[axis]);
      x = cat({crop_middle(x, common), crop_middle(skips[stage], common)}, 1);
    } else {
      x = crop_middle(x, sizes[stage]);
    }
    x = (*up_[i])(x);
  }
  return (*last_)(x);
}

template <int D>
std::int64_t Hourglass<D>::nlayers() const {
  const auto& layers = options_.layers;
  return unit_depth(options_.family) * (2 * sum_of(layers) - layers.back()) + 2;
}

template <int D>
EncoderNet<D>::EncoderNet(const EncoderNetOptions& options, Rng& rng)
    : options_(options),
      body_((check_net(type_name(), D, 1, options.in_planes, options.out_length, options),
             add("netbody", ModuleList()))) {
  const auto& [channel, layers, kernel_size, in_planes, out_length, family, dtype] = options_;
  const NetGeometry inside = net_geometry(D, kernel_size);
  body_.push_back(make_conv<D>(in_planes, channel, net_geometry(D, kernel_size, 2), false, dtype, rng));
  std::int64_t planes = channel;
  for (std::size_t stage = 0; stage < layers.size(); ++stage) {
    const std::int64_t wider = stage == 0 ? planes : 2 * planes;
    body_.push_back(Stack<D>({.family = family,
                              .in_planes = planes,
                              .hidden_planes = wider,
                              .out_planes = wider,
                              .level = layers[stage],
                              .geometry = inside,
                              .dtype = dtype},
                             rng));
    planes = wider;
  }
  body_.push_back(make_conv<D>(planes, planes, inside, true, dtype, rng));
  if (out_length > 0)
    fc_ = &add("fc", Linear({.in_features = planes, .out_features = out_length, .dtype = dtype}, rng));
}

template <int D>
Tensor EncoderNet<D>::forward(const Tensor& input) {
  Tensor x = input;
  {
    const evenkeel::detail::LayerPathScope scope(body_.name());
    for (const auto& [name, module] : body_.children()) x = (*module)(x);
  }
  return fc_ == nullptr ? x : (*fc_)(mean(flatten(x, 2), 2));
}

template <int D>
std::int64_t EncoderNet<D>::nlayers() const {
  return unit_depth(options_.family) * sum_of(options_.layers) + 2;
}

template <int D>
DecoderNet<D>::DecoderNet(const DecoderNetOptions& options, Rng& rng) : options_(options) {
  check_net(type_name(), D, 1, options.out_planes, options.in_length, options);
  const auto& [channel, layers, out_size, kernel_size, in_length, out_planes, family, dtype] = options_;
  const NetGeometry inside = net_geometry(D, kernel_size);
  const auto whole = out_size.over(D, type_name(), "out_size", 1);
  sizes_.emplace_back(whole.begin(), whole.begin() + D);
  for (std::size_t stage = 0; stage < layers.size(); ++stage) {
    std::vector<std::int64_t> smaller;
    for (int axis = 0; axis < D; ++axis) {
      const std::int64_t size = sizes_.back()[static_cast<std::size_t>(axis)], stride = inside.stride[axis];
      if (size < stride)
        throw ConfigError(fmt::format("[{}] expected an out_size that can be halved {} times, got {}",
                                      type_name(), layers.size(), out_size.str()));
      smaller.push_back((size + stride - 1) / stride);
    }
    sizes_.push_back(smaller);
  }
  std::int64_t planes = channel << (layers.size() - 1);
  if (in_length > 0) {
    NetGeometry whole_map;
    whole_map.kernel_size = Axes(std::span<const std::int64_t>(sizes_.back()));
    std::vector<std::int64_t> padding = sizes_.back();
    for (std::int64_t& size : padding) --size;
    whole_map.padding = Axes(std::span<const std::int64_t>(padding));
    in_ = &add("conv_in", make_conv<D>(in_length, planes, whole_map, true, dtype, rng));
  }
  first_ = &add("conv_first", make_conv<D>(planes, planes, inside, false, dtype, rng));
  body_ = &add("netbody", ModuleList());
  for (std::size_t stage = 0; stage < layers.size(); ++stage) {
    const std::int64_t narrower = stage + 1 < layers.size() ? planes / 2 : planes;
    body_->push_back(Stack<D>({.family = family,
                               .in_planes = planes,
                               .hidden_planes = narrower,
                               .out_planes = narrower,
                               .level = layers[stage],
                               .geometry = inside,
                               .scaler = Scaler::up,
                               .dtype = dtype},
                              rng));
    planes = narrower;
  }
  last_ =
      &add("conv_last", make_conv<D>(planes, out_planes, net_geometry(D, kernel_size, 2), true, dtype, rng));
}

template <int D>
Tensor DecoderNet<D>::forward(const Tensor& input) {
  Tensor x = input;
  if (in_ != nullptr) {
    Shape point = input.shape();
    for (int axis = 0; axis < D && input.rank() == 2; ++axis) point = point.append(1);
    x = (*in_)(reshape(input, point));
  }
  x = (*first_)(x);
  std::size_t stage = sizes_.size() - 1;
  for (const auto& [name, module] : body_->children()) {
    const evenkeel::detail::LayerPathScope scope(body_->name());
    x = crop_middle((*module)(x), sizes_[--stage]);
  }
  return (*last_)(x);
}

template <int D>
std::int64_t DecoderNet<D>::nlayers() const {
  return unit_depth(options_.family) * sum_of(options_.layers) + (in_ != nullptr ? 3 : 2);
}

template <int D>
Shape DecoderNet<D>::input_size() const {
  if (in_ != nullptr) return {options_.in_length};
  Shape shape{options_.channel << (options_.layers.size() - 1)};
  for (const std::int64_t size : sizes_.back()) shape = shape.append(size);
  return shape;
}

#define EVENKEEL_INSTANTIATE(D) \
  template class Hourglass<D>;  \
  template class EncoderNet<D>; \
  template class DecoderNet<D>;
EVENKEEL_INSTANTIATE(1)
EVENKEEL_INSTANTIATE(2)
EVENKEEL_INSTANTIATE(3)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::nn
