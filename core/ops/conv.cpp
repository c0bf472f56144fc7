#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/conv.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel {

namespace {

// A convolution is a trilinear form in x, weight and y. Given two of them, the derivative by the third is a
// contraction, and so are the derivatives of that: conv, conv_transpose and the weight gradient are one op.

enum Role : std::size_t { kX, kWeight, kY };
using Operands = std::array<Tensor, 3>;
using kernels::ConvGeometry;

Shape shape_of(const ConvGeometry& g, Role role) {
  Shape shape = role == kX        ? Shape{g.batch, g.in_channels}
                : role == kWeight ? Shape{g.out_channels, g.in_channels / g.groups}
                                  : Shape{g.batch, g.out_channels};
  const auto& sizes = role == kX ? g.in : role == kWeight ? g.kernel : g.out;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(g.rank); ++axis)
    shape = shape.append(sizes[axis]);
  return shape;
}

template <class T>
void fill_channels(Tensor& out, const Tensor& bias) {
  const std::int64_t channels = out.dim(1), cells = out.shape().slice(2, out.rank()).numel();
  T* values = out.mutable_data<T>();
  detail::parallel_for(out.dim(0) * channels, [&](std::int64_t row) {
    std::fill_n(values + row * cells, cells, bias.data<T>()[row % channels]);
  });
}

/// out = contraction of the two other operands + beta·out.
void contract_into(const ConvGeometry& g, Role role, const Operands& operands, const Tensor& bias,
                   Tensor& out, int beta) {
  const auto& [x, weight, y] = operands;
  detail::dispatch_floating("conv", out.dtype(), [&, &x = x, &weight = weight, &y = y]<class T>() {
    T* to = out.mutable_data<T>();
    const T scale = static_cast<T>(beta);
    switch (role) {
      case kX:
        if (bias.defined()) fill_channels<T>(out, bias);
        kernels::conv_input_grad<T>(g, y.template data<T>(), weight.template data<T>(), to,
                                    bias.defined() ? T(1) : scale);
        break;
      case kWeight:
        kernels::conv_weight_grad<T>(g, x.template data<T>(), y.template data<T>(), to, scale);
        break;
      case kY: {
        Tensor sum = beta == 0 ? out : Tensor::empty(out.shape(), out.dtype());
        kernels::conv_forward<T>(g, x.template data<T>(), weight.template data<T>(),
                                 bias.defined() ? bias.data<T>() : nullptr, sum.mutable_data<T>());
        if (beta != 0) detail::accumulate(out, sum);
      }
    }
  });
}

void add_bias_gradient(const Tensor& gy, Grads& grads) {
  constexpr std::size_t kBias = 2;
  const std::int64_t batch = gy.dim(0), channels = gy.dim(1),
                     cells = gy.numel() / std::max<std::int64_t>(1, batch * channels);
  if (grads.create_graph()) return grads.add(kBias, sum(reshape(gy, {batch, channels, cells}), {0, 2}));
  auto [gradient, beta] = grads.into(kBias);
  detail::dispatch_floating("conv", gy.dtype(), [&, to = gradient, factor = beta]<class T>() mutable {
    const std::int64_t from[] = {batch, channels, cells}, kept[] = {1, channels, 1};
    kernels::sum_to_shape<T>(from, kept, gy.data<T>(), static_cast<T>(factor), to.template mutable_data<T>());
  });
}

Tensor contract(const ConvGeometry& g, Role role, const Operands& operands, const Tensor& bias = {}) {
  static constexpr const char* kNames[] = {"conv_transpose", "conv_weight_grad", "conv"};
  const Role first = role == kX ? kY : kX, second = role == kWeight ? kY : kWeight;
  Tensor out = Tensor::empty(shape_of(g, role), operands[first].dtype());
  contract_into(g, role, operands, bias, out, 0);
  return record(kNames[role], {operands[first], operands[second], bias}, out,
                [g, role, inputs = std::array{first, second}, has_bias = bias.defined(),
                 saved = std::array{Saved(operands[first], operands[second].requires_grad()),
                                    Saved(operands[second], operands[first].requires_grad())}](
                    const Tensor& gy, Grads& grads) {
                  for (std::size_t i = 0; i < 2; ++i) {
                    if (!grads.wants(i)) continue;
                    Operands known;
                    known[role] = gy;
                    known[inputs[1 - i]] = saved[1 - i].get(grads);
                    if (grads.create_graph()) {
                      grads.add(i, contract(g, inputs[i], known));
                    } else {
                      auto [gradient, beta] = grads.into(i);
                      contract_into(g, inputs[i], known, {}, gradient, beta);
                    }
                  }
                  if (has_bias && grads.wants(2)) add_bias_gradient(gy, grads);
                });
}

/// Name, ranks and the numbers that both directions share.
struct Setup {
  Setup(const char* base, const Tensor& x, const Tensor& weight, const Axes& stride, const Axes& padding,
        const Axes& dilation, std::int64_t groups) {
    const int rank = weight.rank() - 2;
    op = fmt::format("{}{}d", base, rank);
    if (rank < 1 || rank > 3 || (x.rank() != rank + 2 && x.rank() != rank + 1))
      throw ShapeError(
          fmt::format("[{}] expected x (N, C, L…) or (C, L…) and a weight of one to three kernel axes, "
                      "as many as L has, got {} and {}",
                      rank < 1 || rank > 3 ? base : op, x.shape().str(), weight.shape().str()));
    if (*std::min_element(weight.shape().begin(), weight.shape().end()) < 1)
      throw ShapeError(fmt::format("[{}] expected a weight with elements, got {}", op, weight.shape().str()));
    if (groups < 1) throw ConfigError(fmt::format("[{}] expected groups of at least 1, got {}", op, groups));
    is_batched = x.rank() == rank + 2;
    g.rank = rank;
    g.batch = is_batched ? x.dim(0) : 1;
    g.groups = groups;
    g.stride = stride.over(rank, op, "stride", 1);
    g.dilation = dilation.over(rank, op, "dilation", 1);
    g.padding = padding.over(rank, op, "padding", 0);
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis)
      g.kernel[axis] = weight.shape()[static_cast<int>(axis) + 2];
  }

  std::int64_t cells(const Tensor& x, std::size_t axis) const {
    return x.shape()[static_cast<int>(axis) + (is_batched ? 2 : 1)];
  }
  std::int64_t span(std::size_t axis) const { return g.dilation[axis] * (g.kernel[axis] - 1) + 1; }
  Tensor batched(const Tensor& x, Role role) const { return is_batched ? x : reshape(x, shape_of(g, role)); }
  Tensor restored(const Tensor& y) const { return is_batched ? y : reshape(y, y.shape().slice(1, y.rank())); }
  void check_bias(const Tensor& bias, std::int64_t channels) const {
    if (bias.defined() && bias.shape() != Shape{channels})
      throw ShapeError(fmt::format("[{}] expected a bias [{}], got {}", op, channels, bias.shape().str()));
  }

  std::string op;
  bool is_batched;
  ConvGeometry g;
};

}  // namespace

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvParameters& parameters) {
  detail::check_floating("conv", {x, weight, bias});
  Setup setup("conv", x, weight, parameters.stride, parameters.padding, parameters.dilation,
              parameters.groups);
  ConvGeometry& g = setup.g;
  const auto end = parameters.padding_end.is_set()
                       ? parameters.padding_end.over(g.rank, setup.op, "padding_end", 0)
                       : g.padding;
  g.in_channels = x.dim(setup.is_batched ? 1 : 0);
  g.out_channels = weight.dim(0);
  if (g.in_channels != weight.dim(1) * g.groups || g.out_channels % g.groups != 0)
    throw ShapeError(fmt::format(
        "[{}] expected x of {} channels and a weight whose first size {} is a multiple of groups "
        "{}, got x {} and weight {}",
        setup.op, weight.dim(1) * g.groups, g.out_channels, g.groups, x.shape().str(), weight.shape().str()));
  setup.check_bias(bias, g.out_channels);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(g.rank); ++axis) {
    g.in[axis] = setup.cells(x, axis);
    const std::int64_t room = g.in[axis] + g.padding[axis] + end[axis] - setup.span(axis);
    if (room < 0)
      throw ShapeError(
          fmt::format("[{}] expected at least {} cells along spatial axis {} with this kernel, dilation and "
                      "padding, got x {} and weight {}",
                      setup.op, g.in[axis] - room, axis, x.shape().str(), weight.shape().str()));
    g.out[axis] = room / g.stride[axis] + 1;
  }
  return setup.restored(contract(g, kY, {setup.batched(x, kX), weight, Tensor()}, bias));
}

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const ConvTransposeParameters& parameters) {
  detail::check_floating("conv_transpose", {x, weight, bias});
  Setup setup("conv_transpose", x, weight, parameters.stride, parameters.padding, parameters.dilation,
              parameters.groups);
  ConvGeometry& g = setup.g;  // of the convolution that this is the adjoint of: x is its y
  const auto extra = parameters.output_padding.over(g.rank, setup.op, "output_padding", 0);
  g.out_channels = x.dim(setup.is_batched ? 1 : 0);
  g.in_channels = weight.dim(1) * g.groups;
  if (g.out_channels != weight.dim(0) || g.out_channels % g.groups != 0)
    throw ShapeError(
        fmt::format("[{}] expected x of {} channels, a multiple of groups {}, got x {} and weight {}",
                    setup.op, weight.dim(0), g.groups, x.shape().str(), weight.shape().str()));
  setup.check_bias(bias, g.in_channels);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(g.rank); ++axis) {
    if (extra[axis] >= std::max(g.stride[axis], g.dilation[axis]))
      throw ConfigError(fmt::format(
          "[{}] expected output_padding below stride or dilation ({} and {} along spatial axis {}), "
          "got {}",
          setup.op, g.stride[axis], g.dilation[axis], axis, extra[axis]));
    g.out[axis] = setup.cells(x, axis);
    g.in[axis] = (g.out[axis] - 1) * g.stride[axis] - 2 * g.padding[axis] + setup.span(axis) + extra[axis];
    if (g.out[axis] < 1 || g.in[axis] < 1)
      throw ShapeError(fmt::format(
          "[{}] expected an output of at least 1 cell along spatial axis {}, got {} from x {} and "
          "weight {}",
          setup.op, axis, g.in[axis], x.shape().str(), weight.shape().str()));
  }
  return setup.restored(contract(g, kX, {Tensor(), weight, setup.batched(x, kY)}, bias));
}

}  // namespace evenkeel
