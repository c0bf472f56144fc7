#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/norm.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace evenkeel {

namespace {

using kernels::NormGeometry;

template <class T>
const T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

template <class T>
T* pointer(Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data<T>() : nullptr;
}

/// Fresh gradients of weight (input 1) and bias (input 2), as far as they are wanted, for a kernel to fill.
struct ParameterGradients {
  ParameterGradients(const Grads& grads, const Shape& shape, DType dtype) {
    if (grads.wants(1)) weight = Tensor::empty(shape, dtype);
    if (grads.wants(2)) bias = Tensor::empty(shape, dtype);
  }
  void hand_on(Grads& grads) {
    if (weight.defined()) grads.add(1, std::move(weight));
    if (bias.defined()) grads.add(2, std::move(bias));
  }
  Tensor weight, bias;
};

/// How a norm sees its tensors, for the gradients that are made of ops and so are differentiable themselves.
struct View {
  Shape x;           ///< x's elements with the statistics' axes apart
  Shape parameters;  ///< weight and bias broadcast to it
  std::vector<int> axes;
  Shape affine;  ///< own shape of weight and bias
};

/// Gradients of (x - center)·rstd·weight + bias. Without `statistics` (center and rstd, constants) they are
/// those of x over the view's axes; the center is 0 if not `centered`.
void add_composed(const View& view, const Tensor& x_in, const Tensor& weight, const Tensor& gy_in, double eps,
                  bool centered, const std::optional<std::array<Tensor, 2>>& statistics, Grads& grads) {
  const Tensor x = reshape(x_in, view.x), gy = reshape(gy_in, view.x);
  const auto average = [&](const Tensor& t) { return mean(t, view.axes, true); };
  const Tensor difference = statistics ? x - (*statistics)[0] : centered ? x - average(x) : x;
  const Tensor rstd = statistics ? (*statistics)[1] : pow(average(difference * difference) + eps, -0.5);
  const Tensor normalized = difference * rstd;
  if (grads.wants(0)) {
    const Tensor g = weight.defined() ? gy * reshape(weight, view.parameters) : gy;
    Tensor gx = g;
    if (!statistics) {
      gx = gx - normalized * average(g * normalized);
      if (centered) gx = gx - average(g);
    }
    grads.add(0, reshape(gx * rstd, x_in.shape()));
  }
  const auto reduced = [&](const Tensor& full) {
    return reshape(detail::sum_to(full, view.parameters), view.affine);
  };
  if (grads.wants(1)) grads.add(1, reduced(gy * normalized));
  if (grads.wants(2)) grads.add(2, reduced(gy));
}

void check_channels(const char* op, const Tensor& x, std::initializer_list<Tensor> per_channel) {
  for (const Tensor& tensor : per_channel)
    if (tensor.defined() && tensor.shape() != Shape{x.dim(1)})
      throw ShapeError(fmt::format("[{}] expected weight, bias and running statistics [{}] for x {}, got {}",
                                   op, x.dim(1), x.shape().str(), tensor.shape().str()));
}

template <class T>
kernels::NormActivation<T> activation_of(const NormActivation& then, const Tensor& slope) {
  using Kind = typename kernels::NormActivation<T>::Kind;
  return {static_cast<Kind>(then.kind), data_or_null<T>(slope), slope.defined() ? slope.numel() : 1};
}

Tensor normalize(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const NormGeometry& g, const Tensor& mean, const Tensor& rstd, bool from_input, double eps,
                 const NormActivation& then);

/// The gradient of the norm's own result where an activation follows it, made of ops; adds the slope's
/// (input 3).
Tensor through_activation(const NormActivation& then, const Tensor& normalized, const Tensor& slope,
                          const Tensor& gy, Grads& grads) {
  const Tensor positive = detail::is_positive(normalized);
  if (then.kind == NormActivation::Kind::relu) return gy * positive;
  const Tensor negative = 1 - positive, wide = detail::over_channels(slope, gy);
  if (grads.wants(3))
    grads.add(3, reshape(detail::sum_to(gy * normalized * negative, wide.shape()), slope.shape()));
  return gy * (positive + negative * wide);
}

/// What the backward of normalize() knows.
struct Normalized {
  const char* op;
  NormGeometry g;
  Tensor mean, rstd;
  bool from_input;
  double eps;
  NormActivation then;
  Saved input, weight, bias, slope;

  void operator()(const Tensor& gy, Grads& grads) const {
    const Tensor x = input.get(grads), w = weight.get(grads), b = bias.get(grads), s = slope.get(grads);
    if (grads.create_graph()) return recorded(x, w, b, s, gy, grads);
    Grads::Into gx{{}, 0};
    if (grads.wants(0)) gx = grads.into(0);
    ParameterGradients parameters(grads, Shape{g.channels}, gy.dtype());
    Tensor gslope;
    if (s.defined() && grads.wants(3)) gslope = Tensor::empty(s.shape(), gy.dtype());
    detail::dispatch_floating(op, gy.dtype(), [&]<class T>() {
      kernels::normalize_backward<T>(g, from_input, x.data<T>(), gy.data<T>(), mean.data<T>(), rstd.data<T>(),
                                     data_or_null<T>(w), pointer<T>(gx.gradient), static_cast<T>(gx.beta),
                                     pointer<T>(parameters.weight), pointer<T>(parameters.bias), T(0),
                                     activation_of<T>(then, s), data_or_null<T>(b), pointer<T>(gslope));
    });
    parameters.hand_on(grads);
    if (gslope.defined()) grads.add(3, std::move(gslope));
  }

  void recorded(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& s, const Tensor& gy,
                Grads& grads) const {
    const View view{{g.batch, g.channels, g.size},
                    {1, g.channels, 1},
                    g.groups == 0 ? std::vector{0, 2} : std::vector{2},
                    {g.channels}};
    std::optional<std::array<Tensor, 2>> constants;
    if (!from_input) constants = {reshape(mean, {-1, g.channels, 1}), reshape(rstd, {-1, g.channels, 1})};
    Tensor upstream = gy;
    if (then.kind != NormActivation::Kind::none)
      upstream =
          through_activation(then, normalize(op, x, w, b, g, mean, rstd, from_input, eps, {}), s, gy, grads);
    add_composed(view, x, w, upstream, eps, true, constants, grads);
  }
};

Tensor normalize(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const NormGeometry& g, const Tensor& mean, const Tensor& rstd, bool from_input, double eps,
                 const NormActivation& then) {
  const bool active = then.kind != NormActivation::Kind::none;
  const Tensor slope = then.kind == NormActivation::Kind::prelu ? then.slope : Tensor();
  detail::check_floating(op, {x, slope});
  if (slope.defined()) detail::check_slope(op, x, slope);
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating(op, x.dtype(), [&]<class T>() {
    kernels::normalize_forward<T>(g, x.data<T>(), mean.data<T>(), rstd.data<T>(), data_or_null<T>(weight),
                                  data_or_null<T>(bias), out.mutable_data<T>(),
                                  activation_of<T>(then, slope));
  });
  Normalized backward{op,
                      g,
                      mean,
                      rstd,
                      from_input,
                      eps,
                      {then.kind, {}},
                      Saved(x),
                      Saved(weight),
                      Saved(bias, active),
                      Saved(slope)};
  if (!slope.defined()) return record(op, {x, weight, bias}, out, std::move(backward));
  return record(op, {x, weight, bias, slope}, out, std::move(backward));
}

/// 1 / sqrt(variance + eps).
Tensor reciprocal_std(const Tensor& variance, double eps) {
  Tensor rstd = Tensor::empty(variance.shape(), variance.dtype());
  detail::dispatch_floating("norm", rstd.dtype(), [&]<class T>() {
    kernels::reciprocal_std<T>(rstd.numel(), variance.data<T>(), eps, rstd.mutable_data<T>());
  });
  return rstd;
}

NormGeometry geometry_of(const Tensor& x, bool per_item) {
  const std::int64_t channels = x.dim(1);
  return {x.dim(0), channels, x.shape().slice(2, x.rank()).numel(), per_item ? channels : 0};
}

/// Mean and biased variance of each statistic.
std::array<Tensor, 2> moments(const char* op, const Tensor& x, const NormGeometry& g) {
  Tensor mean = Tensor::empty({g.statistics()}, x.dtype()),
         variance = Tensor::empty({g.statistics()}, x.dtype());
  detail::dispatch_floating(op, x.dtype(), [&]<class T>() {
    kernels::moments<T>(g, x.data<T>(), mean.mutable_data<T>(), variance.mutable_data<T>());
  });
  return {mean, variance};
}

/// running = (1 - momentum)·running + momentum·(the statistic, averaged over items, unbiased for the
/// variance).
void update_running(Tensor& running_mean, Tensor& running_var, const std::array<Tensor, 2>& statistics,
                    const NormGeometry& g, double momentum) {
  const detail::FlushDenormals flush;
  const std::int64_t statistics_per_channel = g.statistics() / g.channels;
  const auto count = static_cast<double>(g.elements()), items = static_cast<double>(statistics_per_channel);
  const auto update = [&](Tensor& running, const Tensor& statistic, double factor) {
    if (!running.defined()) return;
    detail::dispatch_floating("running statistics", running.dtype(), [&]<class T>() {
      T* values = running.mutable_data<T>();
      for (std::int64_t c = 0; c < g.channels; ++c) {
        double total = 0;
        for (std::int64_t s = c; s < g.statistics(); s += g.channels)
          total += static_cast<double>(statistic.data<T>()[s]);
        values[c] = static_cast<T>((1 - momentum) * static_cast<double>(values[c]) +
                                   momentum * factor * total / items);
      }
    });
  };
  update(running_mean, statistics[0], 1);
  update(running_var, statistics[1], count / (count - 1));
}

/// The running statistics as they are now, once for each item of the batch if `items` > 1.
Tensor repeated(const Tensor& running, std::int64_t items) {
  return reshape(expand(running.clone(), {items, running.numel()}), {-1});
}

/// Rows of `size` neighbours: x's last axes are `normalized_shape`.
struct Rows {
  std::int64_t count, size;
};

Rows rows_of(const char* op, const Tensor& x, const Shape& normalized_shape,
             std::initializer_list<Tensor> affine) {
  const int leading = x.rank() - normalized_shape.rank();
  if (normalized_shape.rank() < 1 || leading < 0 || x.shape().slice(leading, x.rank()) != normalized_shape)
    throw ShapeError(fmt::format("[{}] expected x […, normalized_shape] with normalized_shape {}, got {}", op,
                                 normalized_shape.str(), x.shape().str()));
  for (const Tensor& tensor : affine)
    if (tensor.defined() && tensor.shape() != normalized_shape)
      throw ShapeError(fmt::format("[{}] expected weight and bias of the shape {}, got {}", op,
                                   normalized_shape.str(), tensor.shape().str()));
  return {x.shape().slice(0, leading).numel(), normalized_shape.numel()};
}

}  // namespace

Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, const BatchNormParameters& parameters, const NormActivation& then) {
  detail::check_floating("batch_norm", {x, running_mean, running_var, weight, bias});
  if (x.rank() < 2) throw ShapeError("[batch_norm] expected x (N, C, L…) or (N, C), got " + x.shape().str());
  check_channels("batch_norm", x, {running_mean, running_var, weight, bias});
  const NormGeometry g = geometry_of(x, false);
  if (!parameters.training) {
    if (!running_mean.defined() || !running_var.defined())
      throw ConfigError("[batch_norm] expected running statistics to evaluate with, got none");
    return normalize("batch_norm", x, weight, bias, g, running_mean.clone(),
                     reciprocal_std(running_var, parameters.eps), false, parameters.eps, then);
  }
  if (g.elements() < 2)
    throw ShapeError("[batch_norm] expected at least two values a channel in training, got x " +
                     x.shape().str());
  const auto statistics = moments("batch_norm", x, g);
  update_running(running_mean, running_var, statistics, g, parameters.momentum);
  return normalize("batch_norm", x, weight, bias, g, statistics[0],
                   reciprocal_std(statistics[1], parameters.eps), true, parameters.eps, then);
}

Tensor instance_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                     const Tensor& bias, const InstanceNormParameters& parameters,
                     const NormActivation& then) {
  detail::check_floating("instance_norm", {x, running_mean, running_var, weight, bias});
  if (x.rank() < 3) throw ShapeError("[instance_norm] expected x (N, C, L…), got " + x.shape().str());
  check_channels("instance_norm", x, {running_mean, running_var, weight, bias});
  const NormGeometry g = geometry_of(x, true);
  if (!parameters.use_input_stats) {
    if (!running_mean.defined() || !running_var.defined())
      throw ConfigError("[instance_norm] expected running statistics to evaluate with, got none");
    return normalize("instance_norm", x, weight, bias, g, repeated(running_mean, g.batch),
                     reciprocal_std(repeated(running_var, g.batch), parameters.eps), false, parameters.eps,
                     then);
  }
  if (g.size < 2)
    throw ShapeError("[instance_norm] expected at least two spatial cells, got x " + x.shape().str());
  const auto statistics = moments("instance_norm", x, g);
  if (g.batch > 0) update_running(running_mean, running_var, statistics, g, parameters.momentum);
  return normalize("instance_norm", x, weight, bias, g, statistics[0],
                   reciprocal_std(statistics[1], parameters.eps), true, parameters.eps, then);
}

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  detail::check_floating("layer_norm", {x, weight, bias});
  const auto [rows, size] = rows_of("layer_norm", x, normalized_shape, {weight, bias});
  Tensor out = Tensor::empty(x.shape(), x.dtype()), mean = Tensor::empty({rows}, x.dtype()),
         rstd = Tensor::empty({rows}, x.dtype());
  detail::dispatch_floating("layer_norm", x.dtype(), [&, count = rows, length = size]<class T>() {
    kernels::layer_norm_forward<T>(count, length, x.data<T>(), data_or_null<T>(weight), data_or_null<T>(bias),
                                   eps, out.mutable_data<T>(), mean.mutable_data<T>(),
                                   rstd.mutable_data<T>());
  });
  const View view{{rows, size}, {1, size}, {1}, normalized_shape};
  return record(
      "layer_norm", {x, weight, bias}, out,
      [view, eps, mean, rstd, input = Saved(x), scale = Saved(weight)](const Tensor& gy, Grads& grads) {
        const Tensor in = input.get(grads), w = scale.get(grads);
        if (grads.create_graph()) return add_composed(view, in, w, gy, eps, true, {}, grads);
        Grads::Into gx{{}, 0};
        if (grads.wants(0)) gx = grads.into(0);
        ParameterGradients parameters(grads, view.affine, gy.dtype());
        detail::dispatch_floating("layer_norm", gy.dtype(), [&]<class T>() {
          kernels::layer_norm_backward<T>(view.x[0], view.x[1], in.data<T>(), gy.data<T>(), mean.data<T>(),
                                          rstd.data<T>(), data_or_null<T>(w), pointer<T>(gx.gradient),
                                          static_cast<T>(gx.beta), pointer<T>(parameters.weight),
                                          pointer<T>(parameters.bias), T(0));
        });
        parameters.hand_on(grads);
      });
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> given_eps) {
  detail::check_floating("rms_norm", {x, weight});
  const auto [rows, size] = rows_of("rms_norm", x, normalized_shape, {weight});
  const double machine_eps = x.dtype() == DType::f32
                                 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                 : std::numeric_limits<double>::epsilon();
  const double eps = given_eps.value_or(machine_eps);
  Tensor out = Tensor::empty(x.shape(), x.dtype()), rstd = Tensor::empty({rows}, x.dtype());
  detail::dispatch_floating("rms_norm", x.dtype(), [&, count = rows, length = size]<class T>() {
    kernels::rms_norm_forward<T>(count, length, x.data<T>(), data_or_null<T>(weight), eps,
                                 out.mutable_data<T>(), rstd.mutable_data<T>());
  });
  const View view{{rows, size}, {1, size}, {1}, normalized_shape};
  return record("rms_norm", {x, weight, Tensor()}, out,
                [view, eps, rstd, input = Saved(x), scale = Saved(weight)](const Tensor& gy, Grads& grads) {
                  const Tensor in = input.get(grads), w = scale.get(grads);
                  if (grads.create_graph()) return add_composed(view, in, w, gy, eps, false, {}, grads);
                  Grads::Into gx{{}, 0};
                  if (grads.wants(0)) gx = grads.into(0);
                  ParameterGradients parameters(grads, view.affine, gy.dtype());
                  detail::dispatch_floating("rms_norm", gy.dtype(), [&]<class T>() {
                    kernels::rms_norm_backward<T>(view.x[0], view.x[1], in.data<T>(), gy.data<T>(),
                                                  rstd.data<T>(), data_or_null<T>(w), pointer<T>(gx.gradient),
                                                  static_cast<T>(gx.beta), pointer<T>(parameters.weight),
                                                  T(0));
                  });
                  parameters.hand_on(grads);
                });
}

}  // namespace evenkeel
