#pragma once

#include <evenkeel/core/tensor.h>

namespace evenkeel {

/// Rows of weight (V, D) picked by indices i64 (…) -> (…, D). ValueError for an index that is no row, with
/// its place. Double backward: yes.
Tensor embedding(const Tensor& indices, const Tensor& weight);

}  // namespace evenkeel
