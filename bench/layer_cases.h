#pragma once

#include <evenkeel/core/tensor.h>

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace evenkeel::bench {

/// What one case of bench/cases.json runs, once.
using Run = std::function<void()>;

/// The run of a case's pass: "forward" (no graph), "input grad", "weight grad" (only that part of the
/// backward), or "train" (forward and backward; for whole steps, the optimiser too).
Run make_run(const nlohmann::json& entry, const std::string& pass);

/// Floating-point operations of the pass; 0 where they are not the measure.
double flops(const nlohmann::json& entry, const std::string& pass);

}  // namespace evenkeel::bench
