#pragma once

#include <evenkeel/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace evenkeel::test {

using MakeLayer = std::function<std::unique_ptr<nn::Module>(Rng&)>;

/// A layer, and an input so large that the layer's loops are cut into pieces, with odd ends.
struct LayerCase {
  std::string name;
  MakeLayer make;
  Shape input;
  std::int64_t rows = 0;  ///< where the input is indices: of so many rows
};

/// Every layer and net of nn/, convolutions along each path of core/kernels/conv.cpp, and every layer of
/// nn/unit_scaled/.
std::vector<LayerCase> layer_cases();

std::vector<LayerCase> plain_cases();
std::vector<LayerCase> conv_path_cases();
std::vector<LayerCase> unit_scaled_cases();

/// Normal numbers, or indices where the layer wants these.
Tensor random_input(const LayerCase& one, Rng& rng);

/// A layer with these options.
template <class Layer, class... Options>
MakeLayer layer(Options... options) {
  return [=]([[maybe_unused]] Rng& rng) -> std::unique_ptr<nn::Module> {
    if constexpr (std::is_constructible_v<Layer, Options..., Rng&>)
      return std::make_unique<Layer>(options..., rng);
    else
      return std::make_unique<Layer>(options...);
  };
}

/// (batch, channels, L…) with `rank` spatial axes.
Shape many_cells(int rank, std::int64_t channels);

}  // namespace evenkeel::test
