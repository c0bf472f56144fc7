#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/vmath.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/loss_sum.h>

#include <fmt/format.h>

#include <cmath>

namespace evenkeel {

namespace {

namespace vmath = kernels::vmath;

// A loss as data: the value `f` and the slopes `dx`, `dt` by x and target, on numbers and as ops. `w` is
// pos_weight.

struct Mse {
  static constexpr auto name = "mse_loss";
  static auto f(auto x, auto t, auto) { return (x - t) * (x - t); }
  static auto dx(auto x, auto t, auto) { return 2 * (x - t); }
  static auto dt(auto x, auto t, auto) { return 2 * (t - x); }
  static Tensor slope_x(const Tensor& x, const Tensor& t, const Tensor&) { return 2 * (x - t); }
  static Tensor slope_t(const Tensor& x, const Tensor& t, const Tensor&) { return 2 * (t - x); }
};

/// sign(x), a constant.
Tensor sign_of(const Tensor& x) {
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("l1_loss", x.dtype(), [&]<class T>() {
    kernels::unary(x.numel(), x.data<T>(), out.mutable_data<T>(), [](T v) { return T((v > 0) - (v < 0)); });
  });
  return out;
}

struct L1 {
  static constexpr auto name = "l1_loss";
  static auto f(auto x, auto t, auto) { return std::abs(x - t); }
  static auto dx(auto x, auto t, auto) { return static_cast<decltype(x)>((x > t) - (x < t)); }
  static auto dt(auto x, auto t, auto w) { return -dx(x, t, w); }
  static Tensor slope_x(const Tensor& x, const Tensor& t, const Tensor&) { return sign_of(x - t); }
  static Tensor slope_t(const Tensor& x, const Tensor& t, const Tensor&) { return sign_of(t - x); }
};

struct Huber {
  static constexpr auto name = "huber_loss";
  double delta;
  auto f(auto x, auto t, auto) const {
    using T = decltype(x);
    const T d = std::abs(x - t), limit = static_cast<T>(delta);
    return d <= limit ? T(0.5) * d * d : limit * (d - T(0.5) * limit);
  }
  auto dx(auto x, auto t, auto) const {
    using T = decltype(x);
    const T d = x - t, limit = static_cast<T>(delta);
    return d > limit ? limit : d < -limit ? -limit : d;
  }
  auto dt(auto x, auto t, auto w) const { return -dx(x, t, w); }
  /// d within the limits and the limits beyond, from ops: (|d + δ| - |d - δ|) / 2.
  Tensor slope_x(const Tensor& x, const Tensor& t, const Tensor&) const {
    const Tensor d = x - t;
    return 0.5 * (abs(d + delta) - abs(d - delta));
  }
  Tensor slope_t(const Tensor& x, const Tensor& t, const Tensor& w) const { return -slope_x(x, t, w); }
};

/// log(1 + exp(x)); inline, since a call keeps a loop from being vectorised.
template <class T>
inline T softplus(T x) {
  return (x > 0 ? x : T(0)) + vmath::log1p_of_unit(vmath::exp_of_negative(-std::abs(x)));
}

struct BceWithLogits {
  static constexpr auto name = "bce_with_logits";
  static auto f(auto x, auto t, auto w) { return (1 - t) * x + (1 + (w - 1) * t) * softplus(-x); }
  static auto dx(auto x, auto t, auto w) { return (1 - t) * vmath::sigmoid(x) - w * t * vmath::sigmoid(-x); }
  static auto dt(auto x, auto, auto w) { return (w - 1) * softplus(-x) - x; }
  static Tensor slope_x(const Tensor& x, const Tensor& t, const Tensor& w) {
    const Tensor positive = w.defined() ? w * t : t;
    return (1 - t) * sigmoid(x) - positive * sigmoid(-x);
  }
  static Tensor slope_t(const Tensor& x, const Tensor&, const Tensor& w) {
    return w.defined() ? -((w - 1) * log(sigmoid(x))) - x : -x;
  }
};

/// Calls f with a function of the index: the element of `values` (T) there, or `constant` if undefined.
template <class T, class F>
void with_elements(const Tensor& values, T constant, F&& f) {
  if (values.defined())
    f([all = values.data<T>()](std::int64_t i) { return all[i]; });
  else
    f([=](std::int64_t) { return constant; });
}

template <class Op>
Tensor pointwise(const Op& op, const Tensor& x, const Tensor& target, const Tensor& weight,
                 Reduction reduction) {
  detail::check_floating(Op::name, {x, target, weight});
  if (x.shape() != target.shape())
    throw ShapeError(fmt::format("[{}] expected x and target of one shape, got {} and {}", Op::name,
                                 x.shape().str(), target.shape().str()));
  const double factor = detail::mean_factor(Op::name, reduction, static_cast<double>(x.numel()));
  const bool each = reduction == Reduction::none;
  Tensor out = Tensor::empty(each ? x.shape() : Shape(), x.dtype());
  detail::dispatch_floating(Op::name, x.dtype(), [&]<class T>() {
    const T *in = x.data<T>(), *to = target.data<T>();
    T* y = out.mutable_data<T>();
    with_elements(weight, T(1), [&](auto w) {
      const auto loss = [=](std::int64_t i) { return static_cast<T>(op.f(in[i], to[i], w(i))); };
      if (each)
        kernels::map(
            x.numel(), [=](std::int64_t i) { y[i] = loss(i); }, in, to, y);
      else
        *y = static_cast<T>(factor * detail::sum_of<T>(x.numel(), loss, in, to));
    });
  });
  return record(
      Op::name, {x, target}, out,
      [op, factor, each, weight, input = Saved(x), aim = Saved(target)](const Tensor& gy, Grads& grads) {
        const Tensor in = input.get(grads), to = aim.get(grads);
        if (grads.create_graph()) {
          const Tensor upstream = expand(gy * factor, in.shape());
          if (grads.wants(0)) grads.add(0, upstream * op.slope_x(in, to, weight));
          if (grads.wants(1)) grads.add(1, upstream * op.slope_t(in, to, weight));
          return;
        }
        const auto write = [&]<class T>(std::size_t wanted, auto slope) {
          auto [gradient, beta] = grads.into(wanted);
          const T *a = in.data<T>(), *b = to.data<T>(), scale = static_cast<T>(factor);
          T* values = gradient.template mutable_data<T>();
          with_elements(weight, T(1), [&, add = beta != 0](auto w) {
            with_elements(each ? gy : Tensor(), each ? T(0) : gy.data<T>()[0], [&](auto g) {
              const auto value = [=](std::int64_t i) {
                return scale * g(i) * static_cast<T>(slope(a[i], b[i], w(i)));
              };
              if (add)
                kernels::map(
                    in.numel(), [=](std::int64_t i) { values[i] += value(i); }, a, b, values);
              else
                kernels::map(
                    in.numel(), [=](std::int64_t i) { values[i] = value(i); }, a, b, values);
            });
          });
        };
        detail::dispatch_floating(Op::name, gy.dtype(), [&]<class T>() {
          if (grads.wants(0)) write.template operator()<T>(0, [op](T a, T b, T w) { return op.dx(a, b, w); });
          if (grads.wants(1)) write.template operator()<T>(1, [op](T a, T b, T w) { return op.dt(a, b, w); });
        });
      });
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return pointwise(Mse{}, x, target, {}, reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return pointwise(L1{}, x, target, {}, reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction) {
  if (!(delta > 0)) throw ConfigError(fmt::format("[huber_loss] expected delta above 0, got {}", delta));
  return pointwise(Huber{delta}, x, target, {}, reduction);
}

Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& pos_weight, Reduction reduction) {
  return pointwise(BceWithLogits{}, x, target,
                   pos_weight.defined() ? expand(pos_weight.detach(), x.shape()) : Tensor(), reduction);
}

}  // namespace evenkeel
