#include "support/training_cases.h"

#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/flatten.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/pooling.h>
#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/separable_conv.h>
#include <evenkeel/nn/unit_scaled/layers.h>
#include <evenkeel/nn/upsample.h>
#include <evenkeel/optim/adam.h>
#include <evenkeel/optim/mup.h>
#include <evenkeel/optim/sgd.h>

namespace evenkeel::test {

NetCase small_net() {
  using namespace nn;
  const auto make = [](Rng& rng) {
    return std::make_unique<Sequential>(
        Conv1d({.in_channels = 1, .out_channels = 12, .kernel_size = 5, .padding = 2}, rng),
        BatchNorm1d({.num_features = 12}), ReLU(),
        BlockBottleneck1d({.in_planes = 12, .out_planes = 16, .stride = 2}, rng), GELU(),
        Dropout({.p = 0.2}, rng), AdaptiveAvgPool1d(16), Flatten(),
        Linear({.in_features = 256, .out_features = 150}, rng), PReLU(),
        Linear({.in_features = 150, .out_features = 5}, rng));
  };
  return {"small net", make, {8, 1, 129}};
}

NetCase wide_net() {
  using namespace nn;
  const auto make = [](Rng& rng) {
    return std::make_unique<Sequential>(
        Conv2d({.in_channels = 3, .out_channels = 64, .kernel_size = 3, .stride = 2, .padding = 1}, rng),
        BatchNorm2d({.num_features = 64}), ReLU(), MaxPool2d({.kernel_size = 2}),
        PointwiseConv2d({.in_channels = 64, .out_channels = 128}, rng),
        InstanceNorm2d({.num_features = 128, .affine = true}), PReLU({.num_parameters = 128}),
        DepthWiseConv2d({.in_channels = 128, .out_channels = 128, .kernel_size = 3, .padding = 1}, rng),
        PointwiseConv2d({.in_channels = 128, .out_channels = 64, .stride = 2}, rng), SiLU(),
        Upsample({.scale_factor = 2, .mode = InterpolationMode::bilinear}),
        Conv2d({.in_channels = 64, .out_channels = 64, .kernel_size = 3, .padding = 1}, rng), GELU(),
        Conv2d({.in_channels = 64, .out_channels = 96, .kernel_size = 4, .stride = 4}, rng), Flatten(),
        Linear({.in_features = 384, .out_features = 128}, rng), LayerNorm({.normalized_shape = {128}}),
        Tanh(), Linear({.in_features = 128, .out_features = 5}, rng));
  };
  return {"wide net", make, {4, 3, 32, 32}};
}

NetCase unit_scaled_net() {
  using namespace unit_scaled;
  const auto make = [](Rng& rng) {
    return std::make_unique<nn::Sequential>(
        Conv2d({.in_channels = 3, .out_channels = 64, .kernel_size = 4, .stride = 4}, rng),
        DepthSequential(Conv2d({.in_channels = 64, .out_channels = 64, .kernel_size = 3, .padding = 1}, rng),
                        GELU(), Conv2d({.in_channels = 64, .out_channels = 64, .kernel_size = 1}, rng)),
        InstanceNorm2d({.num_features = 64, .affine = true}), GlobalMean(),
        LinearReadout({.in_features = 64, .out_features = 5}, rng));
  };
  return {"unit-scaled net", make, {6, 3, 20, 20}};
}

namespace {

template <class Optimiser, class Options>
OptimiserCase optimiser(const std::string& name, const Options& options) {
  return {name, [=](const std::vector<nn::NamedParameter>& parameters) {
            return std::make_unique<Optimiser>(parameters, options);
          }};
}

template <class Optimiser, class Options>
OptimiserCase with_mup(const std::string& name, const Options& options) {
  return {name, [=](const std::vector<nn::NamedParameter>& parameters) {
            return std::make_unique<Optimiser>(optim::mup(parameters), options);
          }};
}

}  // namespace

std::vector<OptimiserCase> optimiser_cases() {
  using namespace optim;
  return {
      optimiser<SGD>("SGD", SGDOptions{.lr = 0.05}),
      optimiser<SGD>("SGD with decay", SGDOptions{.lr = 0.05, .weight_decay = 0.01}),
      optimiser<SGD>("SGD with momentum", SGDOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1}),
      optimiser<SGD>("SGD of Nesterov",
                     SGDOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}),
      optimiser<Adam>("Adam", AdamOptions{.lr = 1e-2}),
      optimiser<Adam>("Adam with AMSGrad", AdamOptions{.lr = 1e-2, .weight_decay = 0.01, .amsgrad = true}),
      optimiser<AdamW>("AdamW", AdamWOptions{.lr = 1e-2}),
      optimiser<AdamW>("AdamW with AMSGrad", AdamWOptions{.lr = 1e-2, .amsgrad = true}),
  };
}

std::vector<OptimiserCase> mup_cases() {
  using namespace optim;
  return {with_mup<SGD>("SGD with μP", SGDOptions{.lr = 1e-3, .momentum = 0.9}),
          with_mup<AdamW>("AdamW with μP", AdamWOptions{.lr = 0.1})};
}

}  // namespace evenkeel::test
