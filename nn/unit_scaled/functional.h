#pragma once

// All unit-scaled functions.

#include <evenkeel/nn/unit_scaled/constraint.h>
#include <evenkeel/nn/unit_scaled/functional_activation.h>
#include <evenkeel/nn/unit_scaled/functional_conv.h>
#include <evenkeel/nn/unit_scaled/functional_linear.h>
#include <evenkeel/nn/unit_scaled/functional_loss.h>
#include <evenkeel/nn/unit_scaled/functional_norm.h>
#include <evenkeel/nn/unit_scaled/functional_pool.h>
#include <evenkeel/nn/unit_scaled/scaling.h>
