#include <evenkeel/nn/sequential.h>

namespace evenkeel::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor out = x;
  for (const auto& [name, module] : children()) out = (*module)(out);
  return out;
}

}  // namespace evenkeel::nn
