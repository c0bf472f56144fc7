#pragma once

#include <string>

namespace evenkeel {

/// One line on this build and where it runs: version, compiler, tuning, width of the vectors that the kernels
/// use (of a portable build: that its loader chose for this processor), BLAS and its chosen processor core,
/// threads.
std::string build_info();

}  // namespace evenkeel
