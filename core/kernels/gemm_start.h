#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// Where the sums of a product c start: element (i, j) from factor * data[i * row + j], from 0 if factor is
/// 0.
template <class T>
struct GemmStart {
  const T* data;
  std::int64_t row;
  T factor;
};

}  // namespace evenkeel::kernels
