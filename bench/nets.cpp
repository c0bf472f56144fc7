#include "nets.h"

#include "layers.h"

#include "ecg/net.h"
#include "fashion_mnist/net.h"

#include <evenkeel/evenkeel.h>

namespace evenkeel::bench {

namespace {

std::shared_ptr<nn::Module> tiny() {
  return std::make_shared<nn::Sequential>(
      nn::Conv1d({.in_channels = 1, .out_channels = 8, .kernel_size = 3, .padding = 1}, rng()), nn::ReLU(),
      nn::AdaptiveAvgPool1d(1), nn::Flatten(), nn::Linear({.in_features = 8, .out_features = 4}, rng()));
}

std::shared_ptr<nn::Module> first_net() {
  return std::make_shared<nn::Sequential>(
      nn::Conv1d({.in_channels = 1, .out_channels = 8, .kernel_size = 9}, rng()), nn::ReLU(),
      nn::Conv1d({.in_channels = 8, .out_channels = 16, .kernel_size = 9}, rng()), nn::ReLU(),
      nn::AdaptiveAvgPool1d(1), nn::Flatten(), nn::Linear({.in_features = 16, .out_features = 3}, rng()));
}

std::shared_ptr<nn::Module> mu_transfer() {
  constexpr std::int64_t kWidth = 64;
  auto net = std::make_shared<nn::Sequential>();
  std::int64_t channels = 1;
  for (const std::int64_t side : {7, 4, 2}) {
    net->push_back(nn::Conv2d({.in_channels = channels,
                               .out_channels = kWidth,
                               .kernel_size = 3,
                               .stride = 2,
                               .padding = 1,
                               .bias = false},
                              rng()));
    net->push_back(nn::RMSNorm({.normalized_shape = {kWidth, side, side}, .elementwise_affine = false}));
    net->push_back(nn::ReLU());
    channels = kWidth;
  }
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear({.in_features = 4 * kWidth, .out_features = 10, .bias = false}, rng()));
  return net;
}

/// Cross-entropy with labels that count up, and its number of classes.
std::function<Tensor(const Tensor&)> classification(std::int64_t batch, std::int64_t classes) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < batch; ++i) labels.push_back(i % classes);
  const Tensor target = Tensor::from(labels, {batch});
  return [=](const Tensor& output) { return cross_entropy(output, target); };
}

template <class Optimizer, class Options>
std::shared_ptr<optim::Optimizer> optimizer_of(const nn::Module& net) {
  Options options;
  options.lr = 1e-3;
  return std::make_shared<Optimizer>(net.parameters(), options);
}

}  // namespace

bool has_training(const std::string& name) {
  return name == "tiny" || name == "first_net" || name == "fashion_mnist" || name == "mu_transfer" ||
         name == "ecg_denoise";
}

Training make_training(const std::string& name, const Shape& shape) {
  Training training;
  if (name == "ecg_denoise") {
    training.net = std::make_shared<ecg::UNet>(12, rng());
    const Tensor target = Tensor::randn(shape, rng());
    training.loss = [=](const Tensor& output) { return mse_loss(output, target); };
  } else {
    training.net = name == "tiny"            ? tiny()
                   : name == "first_net"     ? first_net()
                   : name == "fashion_mnist" ? std::make_shared<fashion::Net>(12, rng())
                                             : mu_transfer();
    training.loss = classification(shape[0], name == "tiny" ? 4 : name == "first_net" ? 3 : 10);
  }
  training.optimizer = name == "tiny" || name == "mu_transfer"
                           ? optimizer_of<optim::Adam, optim::AdamOptions>(*training.net)
                           : optimizer_of<optim::AdamW, optim::AdamWOptions>(*training.net);
  return training;
}

}  // namespace evenkeel::bench
