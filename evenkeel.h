#pragma once

// Everything: #include <evenkeel/evenkeel.h>, namespace ek = evenkeel.

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/gradcheck.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/embedding.h>
#include <evenkeel/nn/flatten.h>
#include <evenkeel/nn/init.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/loss.h>
#include <evenkeel/nn/module.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/pad.h>
#include <evenkeel/nn/pooling.h>
#include <evenkeel/nn/separable_conv.h>
#include <evenkeel/nn/sequential.h>
#include <evenkeel/nn/upsample.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/clip.h>
#include <evenkeel/optim/optimizer.h>
#include <evenkeel/optim/schedule.h>
#include <evenkeel/optim/sgd.h>
#include <evenkeel/report/json_lines.h>
#include <evenkeel/report/progress.h>
#include <evenkeel/report/svg.h>
#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>
