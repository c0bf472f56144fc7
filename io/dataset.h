#pragma once

#include <evenkeel/core/tensor.h>

#include <cstdint>
#include <span>

namespace evenkeel::io {

/// Some samples, stacked along a new first axis. `targets` is undefined where a data set has none.
struct Batch {
  Tensor inputs;
  Tensor targets;
};

/// Samples that can be reached by number. A DataLoader calls get() from a thread of its own, never twice at
/// once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  /// Number of samples.
  virtual std::int64_t size() const = 0;
  /// The samples of the given numbers, 0 … size()-1, in that order.
  virtual Batch get(std::span<const std::int64_t> indices) const = 0;
};

/// Samples that are in memory.
class TensorDataset : public Dataset {
 public:
  /// Samples are the rows along the first axis: inputs[i], targets[i]. ShapeError unless both have as many.
  explicit TensorDataset(const Tensor& inputs, const Tensor& targets = {});
  std::int64_t size() const override { return data_.inputs.dim(0); }
  Batch get(std::span<const std::int64_t> indices) const override;

 private:
  Batch data_;
};

namespace detail {
/// ValueError unless all indices are in 0 … size-1.
void check_indices(std::span<const std::int64_t> indices, std::int64_t size);
}  // namespace detail

}  // namespace evenkeel::io
