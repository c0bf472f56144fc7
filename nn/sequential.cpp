#include <evenkeel/nn/sequential.h>

namespace evenkeel::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor out = x;
  const std::vector<NamedModule> layers = children();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i + 1 < layers.size())
      if (Tensor both = layers[i].module->call_with(out, *layers[i + 1].module); both.defined()) {
        out = std::move(both);
        ++i;
        continue;
      }
    out = (*layers[i].module)(out);
  }
  return out;
}

}  // namespace evenkeel::nn
