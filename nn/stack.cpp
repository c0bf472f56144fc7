#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops/shape.h>
#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/stack.h>

#include <algorithm>

namespace evenkeel::nn {

namespace {

template <int D>
std::unique_ptr<Module> make_unit(NetFamily family, const ConvModernOptions& options, Rng& rng) {
  switch (family) {
    case NetFamily::conv:
      return std::make_unique<ConvModern<D>>(options, rng);
    case NetFamily::plain:
      return std::make_unique<BlockPlain<D>>(options, rng);
    default:
      return std::make_unique<BlockBottleneck<D>>(options, rng);
  }
}

Axes axes_from(const std::vector<std::int64_t>& numbers) {
  return Axes(std::span<const std::int64_t>(numbers));
}

}  // namespace

NetGeometry net_geometry(int rank, const Axes& kernel_size, std::int64_t plus) {
  std::vector<std::int64_t> kernel, padding, stride;
  for (int axis = 0; axis < rank; ++axis) {
    const bool is_used = kernel_size[axis] > 1;
    kernel.push_back(is_used ? kernel_size[axis] + plus : 1);
    padding.push_back(kernel.back() / 2);
    stride.push_back(is_used ? 2 : 1);
  }
  return {axes_from(kernel), axes_from(padding), axes_from(stride)};
}

Tensor crop_middle(const Tensor& x, const std::vector<std::int64_t>& sizes) {
  Tensor out = x;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const int axis = static_cast<int>(i) + 2;
    const std::int64_t start = (x.dim(axis) - sizes[i]) / 2;
    if (x.dim(axis) > sizes[i]) out = slice(out, axis, start, start + sizes[i]);
  }
  return out;
}

template <int D>
Stack<D>::Stack(const StackOptions& o, Rng& rng) : list_(add("conv_list", ModuleList())) {
  const auto unit = [&](std::int64_t in, std::int64_t out, const Axes& stride, Scaler scaler) {
    return make_unit<D>(o.family,
                        {.in_planes = in,
                         .out_planes = out,
                         .kernel_size = o.geometry.kernel_size,
                         .stride = stride,
                         .padding = o.geometry.padding,
                         .scaler = scaler,
                         .dtype = o.dtype},
                        rng);
  };
  std::int64_t planes = o.in_planes;
  for (std::int64_t i = 1; i < o.level; ++i, planes = o.hidden_planes)
    units_.push_back(&list_.push_back(unit(planes, o.hidden_planes, 1, Scaler::down)));
  scale_ = &add_child("conv_scale", unit(planes, o.out_planes, o.geometry.stride, o.scaler));
}

template <int D>
Tensor Stack<D>::hidden(const Tensor& x) {
  const evenkeel::detail::LayerPathScope scope(list_.name());
  Tensor out = x;
  for (Module* unit : units_) out = (*unit)(out);
  return out;
}

template <int D>
Tensor Stack<D>::scaled(const Tensor& hidden) {
  return (*scale_)(hidden);
}

template class Stack<1>;
template class Stack<2>;
template class Stack<3>;

}  // namespace evenkeel::nn
