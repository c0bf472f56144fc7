#pragma once

#include "support/golden_layers.h"

namespace evenkeel::test {

/// Makes the case's layer in f64 and f32 and checks layer_differences() to be at most 1e-12 and
/// `f32_tolerance`; with `keys` in the case, names and shapes of the state too, in order. The number of cases
/// and the worst differences of each op are printed when the program ends.
void check_layer(const GoldenCase& golden, double f32_tolerance = 1e-5);

}  // namespace evenkeel::test
