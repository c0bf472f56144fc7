#pragma once

#include <string>

namespace evenkeel {

/// One line on this build and where it runs: version, compiler, tuning, vector width, BLAS and its chosen
/// processor core, threads.
std::string build_info();

}  // namespace evenkeel
