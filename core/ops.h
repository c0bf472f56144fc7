#pragma once

// Every differentiable function, one line each; see core/ops/<file>.cpp.

#include <evenkeel/core/ops/activation.h>
#include <evenkeel/core/ops/arithmetic.h>
#include <evenkeel/core/ops/conv.h>
#include <evenkeel/core/ops/dropout.h>
#include <evenkeel/core/ops/embedding.h>
#include <evenkeel/core/ops/loss.h>
#include <evenkeel/core/ops/math.h>
#include <evenkeel/core/ops/matmul.h>
#include <evenkeel/core/ops/norm.h>
#include <evenkeel/core/ops/pad.h>
#include <evenkeel/core/ops/pool.h>
#include <evenkeel/core/ops/reduce.h>
#include <evenkeel/core/ops/shape.h>
#include <evenkeel/core/ops/upsample.h>
