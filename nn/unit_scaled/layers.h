#pragma once

// All unit-scaled layers.

#include <evenkeel/nn/unit_scaled/activation.h>
#include <evenkeel/nn/unit_scaled/conv.h>
#include <evenkeel/nn/unit_scaled/conv_transpose.h>
#include <evenkeel/nn/unit_scaled/depth.h>
#include <evenkeel/nn/unit_scaled/linear.h>
#include <evenkeel/nn/unit_scaled/modern.h>
#include <evenkeel/nn/unit_scaled/norm.h>
#include <evenkeel/nn/unit_scaled/pooling.h>
