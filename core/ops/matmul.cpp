#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/gemm.h>
#include <evenkeel/core/kernels/reduce.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

namespace evenkeel {

namespace {

Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }

/// a [B, M, K] times b [B, K, N], or b [K, N] shared by all items.
Tensor matmul_values(const Tensor& a, const Tensor& b) {
  const std::int64_t batch = a.dim(0), m = a.dim(1), k = a.dim(2), n = b.dim(-1);
  Tensor out = Tensor::empty({batch, m, n}, a.dtype());
  detail::dispatch_floating("matmul", a.dtype(), [&]<class T>() {
    if (batch == 1 || b.rank() == 2)
      kernels::gemm_parallel<T>(false, false, batch * m, n, k, 1, a.data<T>(), std::max<std::int64_t>(k, 1),
                                b.data<T>(), std::max<std::int64_t>(n, 1), 0, out.mutable_data<T>(),
                                std::max<std::int64_t>(n, 1));
    else
      kernels::gemm_batched<T>(batch, false, false, m, n, k, 1, a.data<T>(), m * k, b.data<T>(), k * n, 0,
                               out.mutable_data<T>());
  });
  return out;
}

/// The gradients of a [..., M, K] times b [..., K, N] with the same batch, or b [K, N] for all items.
struct Product {
  std::int64_t batch, m, k, n;

  Product(const Shape& a, const Shape& b)
      : batch(b.rank() == 2 ? 1 : a.slice(0, a.rank() - 2).numel()),
        m(b.rank() == 2 ? a.slice(0, a.rank() - 1).numel() : a[a.rank() - 2]),
        k(a[a.rank() - 1]),
        n(b[b.rank() - 1]) {}

  void left_gradient(const Tensor& gy, const Tensor& b, Grads::Into into) const {
    detail::dispatch_floating("matmul", gy.dtype(), [&]<class T>() {
      kernels::gemm_batched<T>(batch, false, true, m, k, n, 1, gy.data<T>(), m * n, b.data<T>(), k * n,
                               static_cast<T>(into.beta), into.gradient.mutable_data<T>());
    });
  }

  void right_gradient(const Tensor& a, const Tensor& gy, Grads::Into into) const {
    detail::dispatch_floating("matmul", gy.dtype(), [&]<class T>() {
      kernels::gemm_batched<T>(batch, true, false, k, n, m, 1, a.data<T>(), m * k, gy.data<T>(), m * n,
                               static_cast<T>(into.beta), into.gradient.mutable_data<T>());
    });
  }
};

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  detail::check_floating("matmul", {a, b});
  if (a.rank() < 2 || b.rank() < 2 || a.dim(-1) != b.dim(-2))
    throw ShapeError("[matmul] expected a [..., M, K] and b [..., K, N], got " + a.shape().str() + " and " +
                     b.shape().str());
  const Shape batch =
      broadcast_shapes("matmul", a.shape().slice(0, a.rank() - 2), b.shape().slice(0, b.rank() - 2));
  const auto wide = [&](const Tensor& x) {
    return detail::view(expand(x.detach(), batch.append(x.dim(-2)).append(x.dim(-1))),
                        {batch.numel(), x.dim(-2), x.dim(-1)});
  };
  const bool shared = b.rank() == 2;
  const Tensor out =
      detail::view(matmul_values(wide(a), shared ? b : wide(b)), batch.append(a.dim(-2)).append(b.dim(-1)));
  return record("matmul", {a, b}, out,
                [batch, sa = a.shape(), sb = b.shape(), left = Saved(a, b.requires_grad()),
                 right = Saved(b, a.requires_grad())](const Tensor& gy, Grads& grads) {
                  const bool dense = sa.rank() == batch.rank() + 2 && sa.slice(0, batch.rank()) == batch &&
                                     (sb.rank() == 2 || sb.slice(0, sb.rank() - 2) == batch);
                  if (dense && !grads.create_graph()) {
                    const Product product(sa, sb);
                    if (grads.wants(0)) product.left_gradient(gy, right.get(grads), grads.into(0));
                    if (grads.wants(1)) product.right_gradient(left.get(grads), gy, grads.into(1));
                    return;
                  }
                  if (grads.wants(0))
                    grads.add(0, detail::sum_to(matmul(gy, transposed(right.get(grads))), sa));
                  if (grads.wants(1))
                    grads.add(1, detail::sum_to(matmul(transposed(left.get(grads)), gy), sb));
                });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  detail::check_floating("linear", {x, weight, bias});
  if (x.rank() < 1 || weight.rank() != 2 || x.dim(-1) != weight.dim(1))
    throw ShapeError("[linear] expected x [..., in] and weight [out, in], got " + x.shape().str() + " and " +
                     weight.shape().str());
  const std::int64_t in = weight.dim(1), out_features = weight.dim(0);
  if (bias.defined() && bias.shape() != Shape{out_features})
    throw ShapeError("[linear] expected a bias [" + std::to_string(out_features) + "], got " +
                     bias.shape().str());
  const std::int64_t rows = x.shape().slice(0, x.rank() - 1).numel();
  Tensor out = Tensor::empty(x.shape().with(-1, out_features), x.dtype());
  detail::dispatch_floating("linear", x.dtype(), [&]<class T>() {
    kernels::gemm_bias<T>(rows, out_features, in, x.data<T>(), std::max<std::int64_t>(in, 1),
                          weight.data<T>(), std::max<std::int64_t>(in, 1),
                          bias.defined() ? bias.data<T>() : nullptr, out.mutable_data<T>(),
                          std::max<std::int64_t>(out_features, 1));
  });
  std::vector<Tensor> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  return record("linear", inputs, out,
                [in, out_features, rows, shape = x.shape(), has_bias = bias.defined(),
                 input = Saved(x, weight.requires_grad()),
                 matrix = Saved(weight, x.requires_grad())](const Tensor& gy, Grads& grads) {
                  if (grads.create_graph()) {
                    const Tensor flat = reshape(gy, {rows, out_features});
                    if (grads.wants(0)) grads.add(0, reshape(matmul(flat, matrix.get(grads)), shape));
                    if (grads.wants(1))
                      grads.add(1, matmul(transposed(flat), reshape(input.get(grads), {rows, in})));
                    if (has_bias && grads.wants(2)) grads.add(2, sum(flat, 0));
                    return;
                  }
                  detail::dispatch_floating("linear", gy.dtype(), [&]<class T>() {
                    const std::int64_t ld_in = std::max<std::int64_t>(in, 1),
                                       ld_out = std::max<std::int64_t>(out_features, 1);
                    if (grads.wants(0)) {
                      auto [gx, beta] = grads.into(0);
                      kernels::gemm_parallel<T>(false, false, rows, in, out_features, 1, gy.data<T>(), ld_out,
                                                matrix.get(grads).template data<T>(), ld_in,
                                                static_cast<T>(beta), gx.template mutable_data<T>(), ld_in);
                    }
                    if (grads.wants(1)) {
                      auto [gw, beta] = grads.into(1);
                      kernels::gemm_parallel<T>(true, false, out_features, in, rows, 1, gy.data<T>(), ld_out,
                                                input.get(grads).template data<T>(), ld_in,
                                                static_cast<T>(beta), gw.template mutable_data<T>(), ld_in);
                    }
                    if (has_bias && grads.wants(2)) {
                      auto [gb, beta] = grads.into(2);
                      kernels::sum_axis<T>(1, rows, out_features, 1, gy.data<T>(), static_cast<T>(beta),
                                           gb.template mutable_data<T>());
                    }
                  });
                });
}

}  // namespace evenkeel
