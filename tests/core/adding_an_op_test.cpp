// The worked example of docs/adding-an-op.md, so that the page stays true.
#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <cmath>

namespace evenkeel {

/// √(x² + y²) of two tensors of one shape and type; NaN slopes where both are 0. Double backward: yes.
Tensor hypot(const Tensor& x, const Tensor& y) {
  detail::check_floating("hypot", {x, y});
  if (x.shape() != y.shape())
    throw ShapeError("[hypot] expected two tensors of one shape, got " + x.shape().str() + " and " +
                     y.shape().str());
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("hypot", x.dtype(), [&]<class T>() {
    kernels::binary(x.numel(), x.data<T>(), y.data<T>(), out.mutable_data<T>(),
                    [](T a, T b) { return std::sqrt(a * a + b * b); });
  });
  return record(
      "hypot", {x, y}, out,
      [left = Saved(x), right = Saved(y), root = Saved::output(out)](const Tensor& gy, Grads& grads) {
        const Tensor scaled = gy / root.get(grads);
        if (grads.wants(0)) grads.add(0, scaled * left.get(grads));
        if (grads.wants(1)) grads.add(1, scaled * right.get(grads));
      });
}

namespace test {

/// hypot() with another backward.
template <class Backward>
TensorFunction hypot_with(Backward backward) {
  return [=](const std::vector<Tensor>& in) {
    const NoGradScope no_grad;
    const Tensor out = hypot(in[0], in[1]);
    const EnableGradScope with_grad;
    return record("hypot", {in[0], in[1]}, out, [=, out = out.detach()](const Tensor& gy, Grads& grads) {
      if (grads.wants(0)) grads.add(0, backward(gy, in[0].detach(), out));
      if (grads.wants(1)) grads.add(1, backward(gy, in[1].detach(), out));
    });
  };
}

BOOST_AUTO_TEST_SUITE(adding_an_op_test)

BOOST_AUTO_TEST_CASE(the_gradient_is_the_derivative) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{3, 5}})
    check_gradients_twice([](const std::vector<Tensor>& in) { return hypot(in[0], in[1]); },
                          {random_tensor(shape), random_tensor(shape)});
}

BOOST_AUTO_TEST_CASE(wrong_backwards_are_caught) {
  const std::vector<Tensor> inputs{random_tensor({2, 3}), random_tensor({2, 3})};
  check_gradients(hypot_with([](auto gy, auto x, auto out) { return gy * x / out; }), inputs);
  check_fault_is_caught(hypot_with([](auto gy, auto x, auto out) { return -gy * x / out; }), inputs);
  check_fault_is_caught(hypot_with([](auto gy, auto x, auto out) { return 1.001 * gy * x / out; }), inputs);
  check_fault_is_caught(hypot_with([](auto gy, auto x, auto) { return gy * x; }), inputs);
}

BOOST_AUTO_TEST_CASE(shapes_and_types_must_be_equal) {
  BOOST_CHECK_THROW(hypot(Tensor::ones({2}), Tensor::ones({3})), ShapeError);
  BOOST_CHECK_THROW(hypot(Tensor::ones({2}), Tensor::ones({2}, DType::f64)), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace test
}  // namespace evenkeel
