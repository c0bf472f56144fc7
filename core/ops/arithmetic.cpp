#include <evenkeel/core/autograd.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

namespace evenkeel {

namespace {

template <class F>
Tensor binary(const char* op, const Tensor& a, const Tensor& b, F f) {
  detail::check_floating(op, {a, b});
  const Shape shape = broadcast_shapes(op, a.shape(), b.shape());
  Tensor out = Tensor::empty(shape, a.dtype());
  if (shape.numel() == 0) return out;
  if (a.shape() == b.shape()) {
    detail::dispatch_floating(op, a.dtype(), [&]<class T>() {
      kernels::binary(a.numel(), a.data<T>(), b.data<T>(), out.mutable_data<T>(), f);
    });
    return out;
  }
  const kernels::BroadcastPlan plan(shape, a.shape(), b.shape());
  detail::dispatch_floating(op, a.dtype(), [&]<class T>() {
    kernels::binary_broadcast(plan, a.data<T>(), b.data<T>(), out.mutable_data<T>(), f);
  });
  return out;
}

}  // namespace

Tensor detail::sum_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  Tensor out = Tensor::empty(shape, gradient.dtype());
  dispatch_floating("sum_to", gradient.dtype(), [&]<class T>() {
    kernels::sum_to_shape(gradient.shape(), shape, gradient.data<T>(), T(0), out.mutable_data<T>());
  });
  return record("sum_to", {gradient}, out, [wide = gradient.shape()](const Tensor& gy, Grads& grads) {
    grads.add(0, expand(gy, wide));
  });
}

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", {a, b}, binary("add", a, b, [](auto x, auto y) { return x + y; }),
                [sa = a.shape(), sb = b.shape()](const Tensor& gy, Grads& grads) {
                  if (grads.wants(0)) grads.add(0, detail::sum_to(gy, sa));
                  if (grads.wants(1)) grads.add(1, detail::sum_to(gy, sb));
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", {a, b}, binary("sub", a, b, [](auto x, auto y) { return x - y; }),
                [sa = a.shape(), sb = b.shape()](const Tensor& gy, Grads& grads) {
                  if (grads.wants(0)) grads.add(0, detail::sum_to(gy, sa));
                  if (grads.wants(1)) grads.add(1, detail::sum_to(-gy, sb));
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", {a, b}, binary("mul", a, b, [](auto x, auto y) { return x * y; }),
                [sa = a.shape(), sb = b.shape(), left = Saved(a, b.requires_grad()),
                 right = Saved(b, a.requires_grad())](const Tensor& gy, Grads& grads) {
                  if (grads.wants(0)) grads.add(0, detail::sum_to(gy * right.get(grads), sa));
                  if (grads.wants(1)) grads.add(1, detail::sum_to(gy * left.get(grads), sb));
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  const Tensor out = binary("div", a, b, [](auto x, auto y) { return x / y; });
  return record("div", {a, b}, out,
                [sa = a.shape(), sb = b.shape(), divisor = Saved(b), quotient = Saved::output(out)](
                    const Tensor& gy, Grads& grads) {
                  const Tensor scaled = gy / divisor.get(grads);
                  if (grads.wants(0)) grads.add(0, detail::sum_to(scaled, sa));
                  if (grads.wants(1)) grads.add(1, detail::sum_to(-(scaled * quotient.get(grads)), sb));
                });
}

namespace {

Tensor affine_values(const Tensor& x, double a, double b) {
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("affine", x.dtype(), [&]<class T>() {
    const T* in = x.data<T>();
    T* values = out.mutable_data<T>();
    const T factor = static_cast<T>(a), term = static_cast<T>(b);
    kernels::unary(x.numel(), in, values, [=](T value) { return factor * value + term; });
  });
  return out;
}

}  // namespace

Tensor affine(const Tensor& x, double a, double b) {
  return record("affine", {x}, affine_values(x, a, b),
                [a](const Tensor& gy, Grads& grads) { grads.add(0, affine(gy, a, 0)); });
}

Tensor scale(const Tensor& x, double forward, double backward) {
  return record("scale", {x}, forward == 1.0 ? x.detach() : affine_values(x, forward, 0),
                [backward](const Tensor& gy, Grads& grads) {
                  grads.add(0, backward == 1.0 ? gy : affine(gy, backward, 0));
                });
}

}  // namespace evenkeel
