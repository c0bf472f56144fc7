#pragma once

#include <evenkeel/core/tensor.h>

#include <map>
#include <string>

namespace evenkeel::optim {

/// What an optimiser or a schedule must remember, by name; numbers are scalars in f64 or i64, so a copy is
/// exact.
using StateDict = std::map<std::string, Tensor>;

namespace detail {
void put(StateDict& state, const std::string& name, double value);
void put(StateDict& state, const std::string& name, std::int64_t value);
/// ConfigError if `state` has no scalar of the name.
double get_number(const StateDict& state, const std::string& name);
std::int64_t get_count(const StateDict& state, const std::string& name);
}  // namespace detail

}  // namespace evenkeel::optim
