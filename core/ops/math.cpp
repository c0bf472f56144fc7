#include <evenkeel/core/autograd.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/vmath.h>
#include <evenkeel/core/ops.h>

#include <cmath>
#include <numbers>

namespace evenkeel {

namespace {

namespace vmath = kernels::vmath;

enum class Reads { input, output };

template <class F>
Tensor map(const char* op, const Tensor& x, F f) {
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating(
      op, x.dtype(), [&]<class T>() { kernels::unary(x.numel(), x.data<T>(), out.mutable_data<T>(), f); });
  return out;
}

/// An elementwise op as data. `Op` has `name`, `reads`, the value `f`, the slope `df` of what it reads, and
/// `slope`, the same slope in ops for double backward.
template <class Op>
Tensor elementwise(const Tensor& x, Op op = {}) {
  const Tensor out = map(Op::name, x, [op](auto value) { return op.f(value); });
  return record(
      Op::name, {x}, out,
      [op, saved = Op::reads == Reads::input ? Saved(x) : Saved::output(out)](const Tensor& gy,
                                                                              Grads& grads) {
        const Tensor read = saved.get(grads);
        if (grads.create_graph()) return grads.add(0, gy * op.slope(read));
        const auto [gradient, beta] = grads.into(0);
        detail::dispatch_floating(Op::name, gy.dtype(), [&, gx = gradient, add = beta]<class T>() mutable {
          const T* in = read.data<T>();
          const T* upstream = gy.data<T>();
          T* values = gx.template mutable_data<T>();
          const auto set = [=](std::int64_t i) { values[i] = upstream[i] * op.df(in[i]); };
          const auto accumulate = [=](std::int64_t i) { values[i] += upstream[i] * op.df(in[i]); };
          if (add == 0)
            kernels::map(gy.numel(), set, in, upstream, values);
          else
            kernels::map(gy.numel(), accumulate, in, upstream, values);
        });
      });
}

struct Exp {
  static constexpr auto name = "exp";
  static constexpr auto reads = Reads::output;
  static auto f(auto x) { return vmath::exp(x); }
  static auto df(auto y) { return y; }
  static Tensor slope(const Tensor& y) { return y; }
};

struct Log {
  static constexpr auto name = "log";
  static constexpr auto reads = Reads::input;
  static auto f(auto x) { return vmath::log(x); }
  static auto df(auto x) { return 1 / x; }
  static Tensor slope(const Tensor& x) { return pow(x, -1); }
};

struct Sqrt {
  static constexpr auto name = "sqrt";
  static constexpr auto reads = Reads::output;
  static auto f(auto x) { return std::sqrt(x); }
  static auto df(auto y) { return decltype(y)(0.5) / y; }
  static Tensor slope(const Tensor& y) { return 0.5 * pow(y, -1); }
};

/// sign(x), whose own slope is 0.
Tensor sign(const Tensor& x) {
  return map("sign", x, [](auto v) { return static_cast<decltype(v)>((v > 0) - (v < 0)); });
}

struct Abs {
  static constexpr auto name = "abs";
  static constexpr auto reads = Reads::input;
  static auto f(auto x) { return std::abs(x); }
  static auto df(auto x) { return static_cast<decltype(x)>((x > 0) - (x < 0)); }
  static Tensor slope(const Tensor& x) { return sign(x); }
};

struct Pow {
  static constexpr auto name = "pow";
  static constexpr auto reads = Reads::input;
  double exponent;
  auto f(auto x) const { return std::pow(x, static_cast<decltype(x)>(exponent)); }
  auto df(auto x) const {
    using T = decltype(x);
    return exponent == 0 ? T(0) : static_cast<T>(exponent) * std::pow(x, static_cast<T>(exponent - 1));
  }
  Tensor slope(const Tensor& x) const { return exponent * pow(x, exponent - 1); }
};

/// x^kPower by products and a quotient.
template <int kPower>
struct IntegerPow {
  static constexpr auto name = "pow";
  static constexpr auto reads = Reads::input;
  template <int kOf>
  static auto power(auto x) {
    decltype(x) value = 1;
    for (int i = 0; i < (kOf < 0 ? -kOf : kOf); ++i) value *= x;
    return kOf < 0 ? 1 / value : value;
  }
  static auto f(auto x) { return power<kPower>(x); }
  static auto df(auto x) { return kPower * power<kPower - 1>(x); }
  static Tensor slope(const Tensor& x) { return kPower * pow(x, kPower - 1); }
};

struct Sigmoid {
  static constexpr auto name = "sigmoid";
  static constexpr auto reads = Reads::output;
  static auto f(auto x) { return vmath::sigmoid(x); }
  static auto df(auto y) { return y * (1 - y); }
  static Tensor slope(const Tensor& y) { return y * (1 - y); }
};

struct Tanh {
  static constexpr auto name = "tanh";
  static constexpr auto reads = Reads::output;
  static auto f(auto x) { return vmath::tanh(x); }
  static auto df(auto y) { return 1 - y * y; }
  static Tensor slope(const Tensor& y) { return 1 - y * y; }
};

struct Relu {
  static constexpr auto name = "relu";
  static constexpr auto reads = Reads::output;
  // Not (x > 0 ? x : 0): a NaN must not vanish.
  static auto f(auto x) { return x < 0 ? decltype(x)(0) : x; }
  static auto df(auto y) { return static_cast<decltype(y)>(y > 0); }
  static Tensor slope(const Tensor& y) { return sign(y); }
};

struct Silu {
  static constexpr auto name = "silu";
  static constexpr auto reads = Reads::input;
  static auto f(auto x) { return x * vmath::sigmoid(x); }
  static auto df(auto x) {
    const auto s = vmath::sigmoid(x);
    return s * (1 + x * (1 - s));
  }
  static Tensor slope(const Tensor& x) {
    const Tensor s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }
};

/// Φ(x), the normal distribution function.
struct NormalCdf {
  static constexpr auto name = "normal_cdf";
  static constexpr auto reads = Reads::input;
  static auto f(auto x) { return vmath::normal_cdf(x); }
  static auto df(auto x) {
    using T = decltype(x);
    return T(vmath::kNormalPeak) * vmath::exp(T(-0.5) * x * x);
  }
  static Tensor slope(const Tensor& x) { return vmath::kNormalPeak * exp(-0.5 * (x * x)); }
};

struct Gelu {
  static constexpr auto name = "gelu";
  static constexpr auto reads = Reads::input;
  static auto f(auto x) { return vmath::gelu(x); }
  static auto df(auto x) { return vmath::gelu_slope(x); }
  static Tensor slope(const Tensor& x) { return elementwise<NormalCdf>(x) + x * NormalCdf::slope(x); }
};

/// With (1 + tanh u) / 2 = sigmoid(2u), which does not cancel for negative u.
struct GeluTanh {
  static constexpr auto name = "gelu_tanh";
  static constexpr auto reads = Reads::input;
  static constexpr double kBeta = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  static constexpr double kCubic = 0.044715;
  static auto gate(auto x) {
    using T = decltype(x);
    return vmath::sigmoid(T(kBeta) * x * (1 + T(kCubic) * x * x));
  }
  static auto f(auto x) { return x * gate(x); }
  static auto df(auto x) {
    using T = decltype(x);
    const T s = gate(x);
    return s * (1 + x * (1 - s) * T(kBeta) * (1 + 3 * T(kCubic) * x * x));
  }
  static Tensor slope(const Tensor& x) {
    const Tensor s = sigmoid(kBeta * (x * (1 + kCubic * (x * x))));
    return s * (1 + kBeta * (x * (1 - s) * (1 + 3 * kCubic * (x * x))));
  }
};

}  // namespace

Tensor exp(const Tensor& x) { return elementwise<Exp>(x); }
Tensor log(const Tensor& x) { return elementwise<Log>(x); }
Tensor sqrt(const Tensor& x) { return elementwise<Sqrt>(x); }
Tensor abs(const Tensor& x) { return elementwise<Abs>(x); }
Tensor pow(const Tensor& x, double exponent) {
  if (exponent == 2) return elementwise<IntegerPow<2>>(x);
  if (exponent == 3) return elementwise<IntegerPow<3>>(x);
  if (exponent == -1) return elementwise<IntegerPow<-1>>(x);
  if (exponent == -2) return elementwise<IntegerPow<-2>>(x);
  return elementwise<Pow>(x, {exponent});
}
Tensor sigmoid(const Tensor& x) { return elementwise<Sigmoid>(x); }
Tensor tanh(const Tensor& x) { return elementwise<Tanh>(x); }
Tensor relu(const Tensor& x) { return elementwise<Relu>(x); }
Tensor silu(const Tensor& x) { return elementwise<Silu>(x); }
Tensor gelu(const Tensor& x, GeluApproximation approximation) {
  return approximation == GeluApproximation::tanh ? elementwise<GeluTanh>(x) : elementwise<Gelu>(x);
}

}  // namespace evenkeel
