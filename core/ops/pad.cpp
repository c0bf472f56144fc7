#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/pad.h>
#include <evenkeel/core/ops.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace evenkeel {

namespace {

struct Padding {
  kernels::PadGeometry g;
  kernels::PadFill fill;
  Shape in, out;
};

void adjoint_into(const Padding& padding, const Tensor& gy, Tensor& gx, int beta) {
  detail::dispatch_floating("pad", gy.dtype(), [&]<class T>() {
    kernels::pad_backward<T>(padding.g, padding.fill, gy.data<T>(), gx.mutable_data<T>(),
                             static_cast<T>(beta));
  });
}

Tensor adjoint(const Tensor& gy, const Padding& padding);

Tensor apply(const Tensor& x, const Padding& padding, double value) {
  Tensor out = Tensor::empty(padding.out, x.dtype());
  detail::dispatch_floating("pad", x.dtype(), [&]<class T>() {
    kernels::pad_forward<T>(padding.g, padding.fill, static_cast<T>(value), x.data<T>(),
                            out.mutable_data<T>());
  });
  return record("pad", {x}, out, [padding](const Tensor& gy, Grads& grads) {
    if (grads.create_graph()) return grads.add(0, adjoint(gy, padding));
    auto [gx, beta] = grads.into(0);
    adjoint_into(padding, gy, gx, beta);
  });
}

Tensor adjoint(const Tensor& gy, const Padding& padding) {
  Tensor out = Tensor::empty(padding.in, gy.dtype());
  adjoint_into(padding, gy, out, 0);
  return record("pad_adjoint", {gy}, out,
                [padding](const Tensor& ggx, Grads& grads) { grads.add(0, apply(ggx, padding, 0)); });
}

void check(const Shape& shape, std::int64_t in, std::int64_t before, std::int64_t after, PadMode mode) {
  const std::int64_t most = std::max(before, after);
  if (mode == PadMode::constant) {
    if (in + before + after < 0)
      throw ShapeError(
          fmt::format("[pad] expected to crop at most the {} cells of an axis, got {} and {} for {}", in,
                      before, after, shape.str()));
    return;
  }
  if (std::min(before, after) < 0)
    throw ConfigError(fmt::format("[pad] expected amounts of at least 0 in mode {}, got {} and {}",
                                  name(mode), before, after));
  const bool fits = most == 0 || (mode == PadMode::reflect    ? most < in
                                  : mode == PadMode::circular ? most <= in
                                                              : in > 0);
  if (!fits)
    throw ShapeError(fmt::format("[pad] expected {} in mode {}, got {} and {} for an axis of {} in {}",
                                 mode == PadMode::reflect    ? "amounts below the length of the axis"
                                 : mode == PadMode::circular ? "amounts of at most the length of the axis"
                                                             : "an axis with cells",
                                 name(mode), before, after, in, shape.str()));
}

}  // namespace

const char* name(PadMode mode) {
  switch (mode) {
    case PadMode::constant:
      return "zeros";
    case PadMode::reflect:
      return "reflect";
    case PadMode::replicate:
      return "replicate";
    default:
      return "circular";
  }
}

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& amounts, PadMode mode, double value) {
  detail::check_floating("pad", {x});
  const int rank = static_cast<int>(amounts.size() / 2);
  if (amounts.size() % 2 != 0 || rank < 1 || rank > 3)
    throw ConfigError(fmt::format("[pad] expected two amounts for each of one to three axes, got [{}]",
                                  fmt::join(amounts, ", ")));
  if (x.rank() < rank)
    throw ShapeError(fmt::format("[pad] expected at least {} axes, got {}", rank, x.shape().str()));
  static constexpr kernels::PadFill kFills[] = {kernels::PadFill::constant, kernels::PadFill::reflect,
                                                kernels::PadFill::replicate, kernels::PadFill::circular};
  const int planes = x.rank() - rank;
  Padding padding{{}, kFills[static_cast<std::size_t>(mode)], x.shape(), x.shape()};
  padding.g.rank = rank;
  padding.g.planes = x.shape().slice(0, planes).numel();
  for (int axis = 0; axis < rank; ++axis) {
    const auto at = static_cast<std::size_t>(axis), pair = 2 * static_cast<std::size_t>(rank - 1 - axis);
    const std::int64_t in = x.shape()[planes + axis], before = amounts[pair], after = amounts[pair + 1];
    check(x.shape(), in, before, after, mode);
    padding.g.in[at] = in;
    padding.g.before[at] = before;
    padding.g.after[at] = after;
    padding.out = padding.out.with(planes + axis, in + before + after);
  }
  return apply(x, padding, value);
}

}  // namespace evenkeel
