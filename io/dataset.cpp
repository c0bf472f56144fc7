#include <evenkeel/core/error.h>
#include <evenkeel/io/dataset.h>

#include <algorithm>

namespace evenkeel::io {

namespace {

Tensor gather_rows(const Tensor& source, std::span<const std::int64_t> indices) {
  if (!source.defined()) return {};
  Tensor out =
      Tensor::empty(source.shape().with(0, static_cast<std::int64_t>(indices.size())), source.dtype());
  evenkeel::detail::dispatch_all(source.dtype(), [&]<class T>() {
    const std::int64_t row = source.shape().without(0).numel();
    T* to = out.mutable_data<T>();
    for (const std::int64_t index : indices) to = std::copy_n(source.data<T>() + index * row, row, to);
  });
  return out;
}

}  // namespace

TensorDataset::TensorDataset(const Tensor& inputs, const Tensor& targets)
    : data_{inputs.detach(), targets.defined() ? targets.detach() : Tensor()} {
  if (inputs.rank() == 0 || (targets.defined() && (targets.rank() == 0 || targets.dim(0) != inputs.dim(0))))
    throw ShapeError("[dataset] expected inputs and targets of as many samples, got " + inputs.shape().str() +
                     (targets.defined() ? " and " + targets.shape().str() : ""));
}

Batch TensorDataset::get(std::span<const std::int64_t> indices) const {
  detail::check_indices(indices, size());
  return {gather_rows(data_.inputs, indices), gather_rows(data_.targets, indices)};
}

void detail::check_indices(std::span<const std::int64_t> indices, std::int64_t size) {
  for (const std::int64_t index : indices)
    if (index < 0 || index >= size)
      throw ValueError("[dataset] expected a sample below " + std::to_string(size) + ", got " +
                       std::to_string(index));
}

}  // namespace evenkeel::io
