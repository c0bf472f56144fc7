#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/upsample.h>
#include <evenkeel/core/ops.h>

#include <fmt/format.h>

#include <cmath>

namespace evenkeel {

namespace {

struct Resampling {
  kernels::UpsampleGeometry g;
  bool is_linear;
  Shape in, out;
};

void adjoint_into(const Resampling& r, const Tensor& gy, Tensor& gx, int beta) {
  detail::dispatch_floating("interpolate", gy.dtype(), [&]<class T>() {
    const auto kernel =
        r.is_linear ? kernels::upsample_linear_backward<T> : kernels::upsample_nearest_backward<T>;
    kernel(r.g, gy.data<T>(), gx.mutable_data<T>(), static_cast<T>(beta));
  });
}

Tensor adjoint(const Tensor& gy, const Resampling& r);

Tensor apply(const Tensor& x, const Resampling& r) {
  Tensor out = Tensor::empty(r.out, x.dtype());
  detail::dispatch_floating("interpolate", x.dtype(), [&]<class T>() {
    const auto kernel =
        r.is_linear ? kernels::upsample_linear_forward<T> : kernels::upsample_nearest_forward<T>;
    kernel(r.g, x.data<T>(), out.mutable_data<T>());
  });
  return record("interpolate", {x}, out, [r](const Tensor& gy, Grads& grads) {
    if (grads.create_graph()) return grads.add(0, adjoint(gy, r));
    auto [gx, beta] = grads.into(0);
    adjoint_into(r, gy, gx, beta);
  });
}

Tensor adjoint(const Tensor& gy, const Resampling& r) {
  Tensor out = Tensor::empty(r.in, gy.dtype());
  adjoint_into(r, gy, out, 0);
  return record("interpolate_adjoint", {gy}, out,
                [r](const Tensor& ggx, Grads& grads) { grads.add(0, apply(ggx, r)); });
}

}  // namespace

const char* name(InterpolationMode mode) {
  static constexpr const char* kNames[] = {"nearest", "linear", "bilinear", "trilinear"};
  return kNames[static_cast<std::size_t>(mode)];
}

void check_interpolation(const char* op, int rank, const InterpolateParameters& parameters) {
  const auto& [size, factor, mode, align_corners] = parameters;
  if (size.is_set() == factor.is_set())
    throw ConfigError(fmt::format("[{}] expected either size or scale_factor, got {}", op,
                                  size.is_set() ? "both" : "neither"));
  if (mode != InterpolationMode::nearest && static_cast<int>(mode) != rank)
    throw ConfigError(fmt::format("[{}] expected mode nearest or {} for {} spatial axes, got {}", op,
                                  name(static_cast<InterpolationMode>(rank)), rank, name(mode)));
  if (mode == InterpolationMode::nearest && align_corners)
    throw ConfigError(
        fmt::format("[{}] expected align_corners with a linear mode only, got it with nearest", op));
  if (size.is_set()) {
    size.over(rank, op, "size", 1);
  } else {
    factor.over(rank, op, "scale_factor", 0);
    for (int axis = 0; axis < rank; ++axis)
      if (!(factor[axis] > 0) || !std::isfinite(factor[axis]))
        throw ConfigError(
            fmt::format("[{}] expected a finite scale_factor above 0, got {}", op, factor.str()));
  }
}

Tensor interpolate(const Tensor& x, const InterpolateParameters& parameters) {
  detail::check_floating("interpolate", {x});
  const int rank = x.rank() - 2;
  if (rank < 1 || rank > 3)
    throw ShapeError("[interpolate] expected x (N, C, L…) of one to three spatial axes, got " +
                     x.shape().str());
  check_interpolation("interpolate", rank, parameters);
  Resampling r{{}, parameters.mode != InterpolationMode::nearest, x.shape(), x.shape()};
  r.g.rank = rank;
  r.g.planes = x.dim(0) * x.dim(1);
  r.g.align_corners = parameters.align_corners;
  for (int axis = 0; axis < rank; ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    r.g.in[at] = x.dim(axis + 2);
    if (parameters.size.is_set()) {
      r.g.out[at] = parameters.size[axis];
    } else {
      r.g.scale[at] = parameters.scale_factor[axis];
      r.g.out[at] = static_cast<std::int64_t>(std::floor(static_cast<double>(r.g.in[at]) * r.g.scale[at]));
    }
    if (r.g.in[at] < 1 || r.g.out[at] < 1)
      throw ShapeError(
          fmt::format("[interpolate] expected cells along spatial axis {} of input and output, got {} and {} "
                      "for x {}",
                      axis, r.g.in[at], r.g.out[at], x.shape().str()));
    r.out = r.out.with(axis + 2, r.g.out[at]);
  }
  return apply(x, r);
}

}  // namespace evenkeel
