#pragma once

#include <evenkeel/core/tensor.h>

#include <cstdint>
#include <vector>

namespace evenkeel {

/// What stands in the new cells: a constant; the input mirrored at its last cell (not repeated); its last
/// cell; the input from its other end.
enum class PadMode : std::uint8_t { constant, reflect, replicate, circular, zeros = constant };

/// "zeros", "reflect", "replicate" or "circular".
const char* name(PadMode mode);

/// Adds `amounts` cells to the last one to three axes: in PyTorch's order, the last axis first, in front and
/// behind. Negative amounts crop, in mode `constant` only. ShapeError unless reflect gets amounts below the
/// axis's length and circular at most that; ConfigError for other invalid amounts. Double backward: yes.
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& amounts, PadMode mode = PadMode::constant,
           double value = 0);

}  // namespace evenkeel
