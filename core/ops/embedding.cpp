#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel {

namespace {

/// The adjoint of embedding(): rows of gy added up in a weight (V, D), in their order.
Tensor scatter_rows(const Tensor& gy, const Tensor& indices, const Shape& shape) {
  Tensor out = Tensor::zeros(shape, gy.dtype());
  const std::int64_t width = shape[1];
  const detail::FlushDenormals flush;
  detail::dispatch_floating("embedding", gy.dtype(), [&]<class T>() {
    const T* in = gy.data<T>();
    T* values = out.mutable_data<T>();
    for (std::int64_t i = 0; i < indices.numel(); ++i) {
      T* row = values + indices.data<std::int64_t>()[i] * width;
      for (std::int64_t k = 0; k < width; ++k) row[k] += in[i * width + k];
    }
  });
  return record("embedding_grad", {gy}, out,
                [indices](const Tensor& ggy, Grads& grads) { grads.add(0, embedding(indices, ggy)); });
}

}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight) {
  detail::check_floating("embedding", {weight});
  if (indices.dtype() != DType::i64)
    throw DTypeError(fmt::format("[embedding] expected indices i64, got {}", name(indices.dtype())));
  if (weight.rank() != 2)
    throw ShapeError(fmt::format("[embedding] expected a weight (V, D), got {}", weight.shape().str()));
  const std::int64_t rows = weight.dim(0), width = weight.dim(1);
  Tensor out = Tensor::empty(indices.shape().append(width), weight.dtype());
  detail::dispatch_floating("embedding", weight.dtype(), [&]<class T>() {
    T* values = out.mutable_data<T>();
    for (std::int64_t i = 0; i < indices.numel(); ++i) {
      const std::int64_t row = indices.data<std::int64_t>()[i];
      if (row < 0 || row >= rows)
        throw ValueError(
            fmt::format("[embedding] expected indices from 0 to {}, got {} at element {}", rows - 1, row, i));
      std::copy_n(weight.data<T>() + row * width, width, values + i * width);
    }
  });
  return record("embedding", {weight}, out,
                [saved = Saved(indices), shape = weight.shape()](const Tensor& gy, Grads& grads) {
                  grads.add(0, scatter_rows(gy, saved.get(grads), shape));
                });
}

}  // namespace evenkeel
