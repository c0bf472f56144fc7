#pragma once

#include "cases.h"

namespace evenkeel::bench {

/// By how many bytes this process's memory has grown at most, since before the case was made, in three of
/// its training steps. Pages of programs and libraries do not count. To be asked once a process.
double peak_growth(const Case& item);

}  // namespace evenkeel::bench
