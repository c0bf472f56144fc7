#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

namespace evenkeel {

Tensor dropout(const Tensor& x, double p, Rng& rng) {
  detail::check_floating("dropout", {x});
  if (!(p >= 0 && p <= 1))
    throw ConfigError("[dropout] expected a probability from 0 to 1, got " + std::to_string(p));
  Tensor factors = Tensor::uniform(x.shape(), 0, 1, rng, x.dtype());
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("dropout", x.dtype(), [&]<class T>() {
    T *factor = factors.mutable_data<T>(), *y = out.mutable_data<T>();
    const T* in = x.data<T>();
    const T limit = static_cast<T>(p), kept = static_cast<T>(1 / (1 - p));
    kernels::map(x.numel(), [=](std::int64_t i) {
      factor[i] = factor[i] < limit ? T(0) : kept;
      y[i] = in[i] * factor[i];
    });
  });
  return record("dropout", {x}, out,
                [factors](const Tensor& gy, Grads& grads) { grads.add(0, gy * factors); });
}

}  // namespace evenkeel
