#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/ops.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace evenkeel {

namespace {

struct Span3 {
  std::int64_t outer, n, inner;
};

Span3 around(const Shape& shape, int begin, int end) {
  return {shape.slice(0, begin).numel(), shape.slice(begin, end).numel(),
          shape.slice(end, shape.rank()).numel()};
}

std::vector<int> normalized(const Shape& shape, const std::vector<int>& axes) {
  std::vector<int> out;
  out.reserve(axes.size());
  for (const int axis : axes) out.push_back(shape.normalize_axis(axis));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end())
    throw ShapeError("[reduce] expected every axis once, got one twice for the shape " + shape.str());
  return out;
}

Shape kept(const Shape& shape, const std::vector<int>& axes) {
  Shape out = shape;
  for (const int axis : axes) out = out.with(axis, 1);
  return out;
}

Shape dropped(const Shape& shape, const std::vector<int>& axes) {
  Shape out = shape;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) out = out.without(*axis);
  return out;
}

std::int64_t count_of(const Shape& shape, const std::vector<int>& axes) {
  std::int64_t count = 1;
  for (const int axis : axes) count *= shape[axis];
  return count;
}

std::vector<int> all_axes(const Tensor& x) {
  std::vector<int> axes(static_cast<std::size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

}  // namespace

Tensor sum(const Tensor& x) { return sum(x, all_axes(x)); }

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keepdim) {
  const std::vector<int> sorted = normalized(x.shape(), axes);
  const Shape wide = kept(x.shape(), sorted);
  Tensor out = Tensor::empty(keepdim ? wide : dropped(x.shape(), sorted), x.dtype());
  detail::dispatch_floating("sum", x.dtype(), [&]<class T>() {
    kernels::sum_to_shape(x.shape(), wide, x.data<T>(), T(0), out.mutable_data<T>());
  });
  return record("sum", {x}, out, [shape = x.shape(), wide](const Tensor& gy, Grads& grads) {
    grads.add(0, expand(reshape(gy, wide), shape));
  });
}

Tensor mean(const Tensor& x) { return mean(x, all_axes(x)); }

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keepdim) {
  const std::int64_t count = count_of(x.shape(), normalized(x.shape(), axes));
  const Tensor total = sum(x, axes, keepdim);
  return count == 0 ? total * std::nan("") : total * (1.0 / static_cast<double>(count));
}

Tensor var(const Tensor& x, const std::vector<int>& axes, int correction, bool keepdim) {
  const std::int64_t count = count_of(x.shape(), normalized(x.shape(), axes));
  const Tensor centered = x - mean(x, axes, true);
  const Tensor total = sum(centered * centered, axes, keepdim);
  return count <= correction ? total * std::nan("") : total * (1.0 / static_cast<double>(count - correction));
}

namespace {

template <class T>
bool is_first_nan(T value, T best) {
  return std::isnan(value) && !std::isnan(best);
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keepdim) {
  const int at = x.shape().normalize_axis(axis);
  if (x.dim(at) == 0)
    throw ShapeError("[argmax] expected an axis with elements, got the shape " + x.shape().str());
  const auto [outer, n, inner] = around(x.shape(), at, at + 1);
  Tensor out = Tensor::empty(keepdim ? x.shape().with(at, 1) : x.shape().without(at), DType::i64);
  std::int64_t* index = out.mutable_data<std::int64_t>();
  detail::dispatch_all(x.dtype(), [&, count = n, step = inner, rows = outer]<class T>() {
    const T* in = x.data<T>();
    for (std::int64_t o = 0; o < rows; ++o)
      for (std::int64_t i = 0; i < step; ++i) {
        const T* line = in + o * count * step + i;
        std::int64_t best = 0;
        for (std::int64_t k = 1; k < count; ++k)
          if (line[k * step] > line[best * step] || is_first_nan(line[k * step], line[best * step])) best = k;
        index[o * step + i] = best;
      }
  });
  return out;
}

namespace {

/// Elements of x (outer, n, inner) picked by their index along the middle axis: linear, and so is its
/// adjoint.
struct Pick {
  Shape from;
  Tensor index;
  Span3 span;

  /// f(element of the result, element of x).
  template <class F>
  void each(F f) const {
    const auto* best = index.data<std::int64_t>();
    for (std::int64_t i = 0; i < index.numel(); ++i)
      f(i, (i / span.inner * span.n + best[i]) * span.inner + i % span.inner);
  }

  Tensor operator()(const Tensor& x) const {
    Tensor out = Tensor::empty(index.shape(), x.dtype());
    detail::dispatch_floating("max", x.dtype(), [&]<class T>() {
      each([in = x.data<T>(), y = out.mutable_data<T>()](std::int64_t to, std::int64_t at) {
        y[to] = in[at];
      });
    });
    return record("max", {x}, out, [self = *this](const Tensor& gy, Grads& grads) {
      if (grads.create_graph()) return grads.add(0, self.adjoint(gy));
      auto [gx, beta] = grads.into(0);
      if (beta == 0) gx.fill_(0);
      self.scatter(gy, gx);
    });
  }

  Tensor adjoint(const Tensor& gy) const {
    Tensor gx = Tensor::zeros(from, gy.dtype());
    scatter(gy, gx);
    return record("max", {gy}, gx,
                  [self = *this](const Tensor& ggx, Grads& grads) { grads.add(0, self(ggx)); });
  }

  void scatter(const Tensor& gy, Tensor gx) const {
    detail::dispatch_floating("max", gy.dtype(), [&]<class T>() {
      each(
          [g = gy.data<T>(), x = gx.mutable_data<T>()](std::int64_t at, std::int64_t to) { x[to] += g[at]; });
    });
  }
};

}  // namespace

Tensor max(const Tensor& x, int axis, bool keepdim) {
  detail::check_floating("max", {x});
  const int at = x.shape().normalize_axis(axis);
  return Pick{x.shape(), argmax(x, at, keepdim), around(x.shape(), at, at + 1)}(x);
}

}  // namespace evenkeel
