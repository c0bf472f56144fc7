#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace evenkeel {

namespace {

using kernels::PoolGeometry;

std::string op_name(const char* base, int rank) { return fmt::format("{}{}d", base, rank); }

/// The options as numbers for each axis, checked.
PoolGeometry geometry_of(const std::string& op, int rank, const Axes& kernel, const Axes& stride,
                         const Axes& padding, const Axes& dilation) {
  if (rank < 1 || rank > Axes::kMaxAxes)
    throw ConfigError(fmt::format("[{}] expected 1 to 3 spatial axes, got {}", op, rank));
  PoolGeometry g;
  g.rank = rank;
  g.kernel = kernel.over(rank, op, "kernel_size", 1);
  g.stride = stride.is_set() ? stride.over(rank, op, "stride", 1) : g.kernel;
  g.padding = padding.over(rank, op, "padding", 0);
  g.dilation = dilation.over(rank, op, "dilation", 1);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis)
    if (2 * g.padding[axis] > g.kernel[axis])
      throw ConfigError(fmt::format("[{}] expected padding of at most half the kernel_size {}, got {}", op,
                                    kernel.str(), padding.str()));
  return g;
}

PoolGeometry geometry_of(const std::string& op, int rank, const MaxPoolOptions& o) {
  return geometry_of(op, rank, o.kernel_size, o.stride, o.padding, o.dilation);
}

PoolGeometry geometry_of(const std::string& op, int rank, const AvgPoolOptions& o) {
  return geometry_of(op, rank, o.kernel_size, o.stride, o.padding, 1);
}

void read_input(const std::string& op, const Tensor& x, PoolGeometry& g) {
  detail::check_floating(op.c_str(), {x});
  if (x.rank() != g.rank + 1 && x.rank() != g.rank + 2)
    throw ShapeError(fmt::format("[{}] expected x (N, C, L…) or (C, L…) with {} spatial axes, got {}", op,
                                 g.rank, x.shape().str()));
  const int first = x.rank() - g.rank;
  g.planes = x.shape().slice(0, first).numel();
  for (int axis = 0; axis < g.rank; ++axis) g.in[static_cast<std::size_t>(axis)] = x.shape()[first + axis];
}

/// A window that begins in the padding behind the input does not count, as in PyTorch.
void count_windows(const std::string& op, const Tensor& x, bool ceil_mode, PoolGeometry& g) {
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(g.rank); ++axis) {
    const std::int64_t span = g.dilation[axis] * (g.kernel[axis] - 1) + 1, step = g.stride[axis];
    const std::int64_t room = g.in[axis] + 2 * g.padding[axis] - span;
    if (g.in[axis] < 1 || room < 0)
      throw ShapeError(fmt::format("[{}] expected at least {} cells along spatial axis {}, got x {}", op,
                                   std::max<std::int64_t>(1, span - 2 * g.padding[axis]), axis,
                                   x.shape().str()));
    if (kernels::ceil_div(g.padding[axis], g.dilation[axis]) * g.dilation[axis] - g.padding[axis] >=
        g.in[axis])
      throw ShapeError(
          fmt::format("[{}] expected a cell in each window, got dilation {} with padding {} of x {}", op,
                      g.dilation[axis], g.padding[axis], x.shape().str()));
    g.out[axis] = (room + (ceil_mode ? step - 1 : 0)) / step + 1;
    if (ceil_mode && (g.out[axis] - 1) * step >= g.in[axis] + g.padding[axis]) --g.out[axis];
  }
}

Shape with_cells(const Shape& shape, int rank, const std::array<std::int64_t, 3>& cells) {
  Shape out = shape.slice(0, shape.rank() - rank);
  for (int axis = 0; axis < rank; ++axis) out = out.append(cells[static_cast<std::size_t>(axis)]);
  return out;
}

std::int64_t cells_of(const PoolGeometry& g, const std::array<std::int64_t, 3>& sizes) {
  return std::accumulate(sizes.begin(), sizes.begin() + g.rank, std::int64_t{1}, std::multiplies<>());
}

/// A linear op and its adjoint, each the other's gradient: forward(x, y), adjoint(gy, gx, beta).
template <class Forward, class Adjoint>
struct Linear {
  const char* op;
  Shape in, out;
  Forward forward;
  Adjoint adjoint;

  Tensor operator()(const Tensor& x) const {
    Tensor y = Tensor::empty(out, x.dtype());
    detail::dispatch_floating(op, x.dtype(), [&]<class T>() { forward(x.data<T>(), y.mutable_data<T>()); });
    return recorded(x, y);
  }

  Tensor recorded(const Tensor& x, const Tensor& y) const {
    return record(op, {x}, y, [self = *this](const Tensor& gy, Grads& grads) {
      if (grads.create_graph()) return grads.add(0, self.transposed(gy));
      auto [gx, beta] = grads.into(0);
      self.adjoint_into(gy, gx, beta);
    });
  }

  Tensor transposed(const Tensor& gy) const {
    Tensor gx = Tensor::empty(in, gy.dtype());
    adjoint_into(gy, gx, 0);
    return record(op, {gy}, gx, [self = *this](const Tensor& ggx, Grads& grads) { grads.add(0, self(ggx)); });
  }

  void adjoint_into(const Tensor& gy, Tensor gx, int beta) const {
    detail::dispatch_floating(op, gy.dtype(), [&]<class T>() {
      adjoint(gy.data<T>(), gx.mutable_data<T>(), static_cast<T>(beta));
    });
  }
};
template <class Forward, class Adjoint>
Linear(const char*, Shape, Shape, Forward, Adjoint) -> Linear<Forward, Adjoint>;  // which Clang 14 needs

}  // namespace

void detail::check_pool(const std::string& op, int rank, const MaxPoolOptions& options) {
  geometry_of(op, rank, options);
}

void detail::check_pool(const std::string& op, int rank, const AvgPoolOptions& options) {
  geometry_of(op, rank, options);
}

Tensor max_pool(const Tensor& x, int rank, const MaxPoolOptions& options) {
  const std::string op = op_name("max_pool", rank);
  PoolGeometry g = geometry_of(op, rank, options);
  read_input(op, x, g);
  count_windows(op, x, options.ceil_mode, g);
  const Shape shape = with_cells(x.shape(), rank, g.out);
  Tensor y = Tensor::empty(shape, x.dtype()), winners;
  std::int64_t* argmax = nullptr;
  if (grad_enabled() && x.requires_grad()) {
    winners = Tensor::empty(shape, DType::i64);
    argmax = winners.mutable_data<std::int64_t>();
  }
  detail::dispatch_floating("max_pool", x.dtype(), [&]<class T>() {
    kernels::max_pool_forward(g, x.data<T>(), y.mutable_data<T>(), argmax);
  });
  // With the winners fixed, pooling picks elements: it is linear.
  const std::int64_t cells = cells_of(g, g.in), windows = cells_of(g, g.out);
  const auto pick = [winners, cells, windows]<class T>(const T* in, T* out) {
    const auto* winner = winners.data<std::int64_t>();
    kernels::map(winners.numel(), [=](std::int64_t i) { out[i] = in[i / windows * cells + winner[i]]; });
  };
  const auto send = [g, winners]<class T>(const T* gy, T* gx, T beta) {
    kernels::max_pool_backward(g, gy, winners.data<std::int64_t>(), gx, beta);
  };
  return Linear{"max_pool", x.shape(), shape, pick, send}.recorded(x, y);
}

Tensor avg_pool(const Tensor& x, int rank, const AvgPoolOptions& options) {
  const std::string op = op_name("avg_pool", rank);
  PoolGeometry g = geometry_of(op, rank, options);
  read_input(op, x, g);
  count_windows(op, x, options.ceil_mode, g);
  const bool padded = options.count_include_pad;
  const auto forward = [g, padded]<class T>(const T* in, T* y) {
    kernels::avg_pool_forward(g, padded, in, y);
  };
  const auto adjoint = [g, padded]<class T>(const T* gy, T* gx, T beta) {
    kernels::avg_pool_backward(g, padded, gy, gx, beta);
  };
  return Linear{"avg_pool", x.shape(), with_cells(x.shape(), rank, g.out), forward, adjoint}(x);
}

Tensor adaptive_avg_pool(const Tensor& x, int rank, const Axes& output_size) {
  const std::string op = op_name("adaptive_avg_pool", rank);
  PoolGeometry g = geometry_of(op, rank, 1, 1, 0, 1);
  g.out = output_size.over(rank, op, "output_size", 1);
  read_input(op, x, g);
  if (cells_of(g, g.in) == 0)
    throw ShapeError(
        fmt::format("[{}] expected at least 1 cell along each spatial axis, got x {}", op, x.shape().str()));
  const auto forward = [g]<class T>(const T* in, T* y) { kernels::adaptive_avg_pool_forward(g, in, y); };
  const auto adjoint = [g]<class T>(const T* gy, T* gx, T beta) {
    kernels::adaptive_avg_pool_backward(g, gy, gx, beta);
  };
  return Linear{"adaptive_avg_pool", x.shape(), with_cells(x.shape(), rank, g.out), forward, adjoint}(x);
}

}  // namespace evenkeel
