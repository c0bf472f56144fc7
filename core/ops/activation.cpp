#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/softmax.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

#include <algorithm>
#include <array>

namespace evenkeel {

namespace {

/// x as rows of `size` neighbours that share a slope: row r has slope r % slopes.
struct Rows {
  std::int64_t count, size, slopes;

  Rows(const Tensor& x, const Tensor& weight) : slopes(weight.numel()) {
    const int channel_axis = slopes == 1 ? std::max(0, x.rank() - 2) : 1;
    size = x.shape().slice(channel_axis + 1, x.rank()).numel();
    count = size == 0 ? 0 : x.numel() / size;
  }

  /// f(row, first element of the row).
  template <class F>
  void each(F f) const {
    const std::int64_t grain =
        std::max<std::int64_t>(1, kernels::kElementwiseGrain / std::max<std::int64_t>(1, size));
    detail::parallel_shares(count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) f(row, row * size);
    });
  }
};

/// to[i] = f(from[i]…) for a row of `size`, f free of dependencies between different i, for numbers and for
/// vectors.
template <class T, class F, class... From>
void map_row(std::int64_t size, F&& f, T* to, const From*... from) {
  using S = kernels::Simd<T>;
  if (size >= 8 * S::kLanes)
    return kernels::map_range(
        0, size, [=](std::int64_t i) { to[i] = f(from[i]...); }, from..., to);
  for (std::int64_t i = 0; i < size; i += S::kLanes)
    S::store_some(to + i, f(S::load_between(from, i, 0, size)...), size - i);
}

/// Both gradients in one pass, of which either may be null. Rows are summed one by one, then in their order,
/// so that the bits do not depend on the threads.
template <class T>
void prelu_backward(const Rows& rows, const T* x, const T* weight, const T* gy, T* gx, T gx_beta, T* gw,
                    T gw_beta) {
  detail::Workspace<double> sums(gw != nullptr ? static_cast<std::size_t>(rows.count) : 0);
  rows.each([=, slopes = rows.slopes, size = rows.size, out = sums.data()](std::int64_t row,
                                                                           std::int64_t at) {
    const T* in = x + at;
    const T* upstream = gy + at;
    if (gw != nullptr)
      out[row] = static_cast<double>(kernels::vector_sums<T, 1>(
          0, size,
          [=](auto read) {
            const auto cells = read(in);
            return std::array{read(upstream) * (cells > T(0) ? typename kernels::Simd<T>::Vector{} : cells)};
          },
          upstream, in)[0]);
    if (gx == nullptr) return;
    const T slope = weight[row % slopes];
    const auto gradient = [=](auto cell, auto of_result) {
      return cell > T(0) ? of_result : of_result * slope;
    };
    if (gx_beta == T(0))
      map_row(size, gradient, gx + at, in, upstream);
    else
      map_row(
          size, [=](auto cell, auto of_result, auto old) { return old + gradient(cell, of_result); }, gx + at,
          in, upstream, gx + at);
  });
  for (std::int64_t slope = 0; gw != nullptr && slope < rows.slopes; ++slope) {
    double sum = 0;
    for (std::int64_t row = slope; row < rows.count; row += rows.slopes) sum += sums.data()[row];
    gw[slope] = static_cast<T>(sum) + (gw_beta == T(0) ? T(0) : gw[slope]);
  }
}

/// prelu's gradients as ops.
void prelu_recorded(const Tensor& x, const Tensor& weight, const Tensor& gy, Grads& grads) {
  const Tensor positive = detail::is_positive(x), negative = 1 - positive;
  const Tensor wide = detail::over_channels(weight, x);
  if (grads.wants(0)) grads.add(0, gy * (positive + negative * wide));
  if (grads.wants(1)) grads.add(1, reshape(detail::sum_to(gy * x * negative, wide.shape()), weight.shape()));
}

}  // namespace

Tensor detail::is_positive(const Tensor& x) {
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  dispatch_floating("prelu", x.dtype(), [&]<class T>() {
    kernels::unary(x.numel(), x.data<T>(), out.mutable_data<T>(), [](T v) { return T(v > 0); });
  });
  return out;
}

Tensor detail::over_channels(const Tensor& slope, const Tensor& x) {
  Shape wide;
  for (int axis = 0; axis < x.rank(); ++axis) wide = wide.append(axis == 1 ? slope.numel() : 1);
  return reshape(slope, wide);
}

void detail::check_slope(const char* op, const Tensor& x, const Tensor& slope) {
  if (slope.rank() != 1 || (slope.numel() != 1 && (x.rank() < 2 || x.dim(1) != slope.numel())))
    throw ShapeError(std::string("[") + op +
                     "] expected a weight [1] or one slope for each channel of x (N, C, …), got x " +
                     x.shape().str() + " and weight " + slope.shape().str());
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  detail::check_floating("prelu", {x, weight});
  detail::check_slope("prelu", x, weight);
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  const Rows rows(x, weight);
  detail::dispatch_floating("prelu", x.dtype(), [&]<class T>() {
    rows.each([&, in = x.data<T>(), slopes = weight.data<T>(), y = out.mutable_data<T>()](std::int64_t row,
                                                                                          std::int64_t at) {
      const T slope = slopes[row % rows.slopes];
      map_row(
          rows.size, [=](auto cell) { return cell > T(0) ? cell : slope * cell; }, y + at, in + at);
    });
  });
  return record("prelu", {x, weight}, out,
                [rows, input = Saved(x), slopes = Saved(weight)](const Tensor& gy, Grads& grads) {
                  const Tensor in = input.get(grads), weights = slopes.get(grads);
                  if (grads.create_graph()) return prelu_recorded(in, weights, gy, grads);
                  Grads::Into gx{{}, 0}, gw{{}, 0};
                  if (grads.wants(0)) gx = grads.into(0);
                  if (grads.wants(1)) gw = grads.into(1);
                  detail::dispatch_floating("prelu", gy.dtype(), [&]<class T>() {
                    prelu_backward<T>(
                        rows, in.data<T>(), weights.data<T>(), gy.data<T>(),
                        gx.gradient.defined() ? gx.gradient.template mutable_data<T>() : nullptr,
                        static_cast<T>(gx.beta),
                        gw.gradient.defined() ? gw.gradient.template mutable_data<T>() : nullptr,
                        static_cast<T>(gw.beta));
                  });
                });
}

namespace {

struct Lines {
  std::int64_t outer, n, inner;

  Lines(const char* op, const Tensor& x, int axis) {
    detail::check_floating(op, {x});
    const int at = x.shape().normalize_axis(axis);
    outer = x.shape().slice(0, at).numel();
    n = x.dim(at);
    inner = x.shape().slice(at + 1, x.rank()).numel();
  }
};

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  const Lines lines("softmax", x, axis);
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("softmax", x.dtype(), [&]<class T>() {
    kernels::softmax_forward(lines.outer, lines.n, lines.inner, x.data<T>(), out.mutable_data<T>());
  });
  return record(
      "softmax", {x}, out, [lines, axis, output = Saved::output(out)](const Tensor& gy, Grads& grads) {
        const Tensor y = output.get(grads);
        if (grads.create_graph()) return grads.add(0, y * (gy - sum(gy * y, axis, true)));
        auto [gx, beta] = grads.into(0);
        detail::dispatch_floating("softmax", gy.dtype(), [&, target = gx, add = beta]<class T>() mutable {
          kernels::softmax_backward(lines.outer, lines.n, lines.inner, y.data<T>(), gy.data<T>(),
                                    target.template mutable_data<T>(), static_cast<T>(add));
        });
      });
}

Tensor log_softmax(const Tensor& x, int axis) {
  const Lines lines("log_softmax", x, axis);
  Tensor out = Tensor::empty(x.shape(), x.dtype());
  detail::dispatch_floating("log_softmax", x.dtype(), [&]<class T>() {
    kernels::log_softmax_forward(lines.outer, lines.n, lines.inner, x.data<T>(), out.mutable_data<T>());
  });
  return record(
      "log_softmax", {x}, out, [lines, axis, output = Saved::output(out)](const Tensor& gy, Grads& grads) {
        const Tensor y = output.get(grads);
        if (grads.create_graph()) return grads.add(0, gy - exp(y) * sum(gy, axis, true));
        auto [gx, beta] = grads.into(0);
        detail::dispatch_floating("log_softmax", gy.dtype(), [&, target = gx, add = beta]<class T>() mutable {
          kernels::log_softmax_backward(lines.outer, lines.n, lines.inner, y.data<T>(), gy.data<T>(),
                                        target.template mutable_data<T>(), static_cast<T>(add));
        });
      });
}

}  // namespace evenkeel
