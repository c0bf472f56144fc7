#pragma once

// Every differentiable function, one line each; see core/ops/<file>.cpp.

#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/core/ops/math.h>
#include <evenkeel/core/ops/matmul.h>
#include <evenkeel/core/ops/reduce.h>
#include <evenkeel/core/ops/shape.h>
