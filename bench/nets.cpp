#include "nets.h"

#include "layers.h"

#include <evenkeel/evenkeel.h>

namespace evenkeel::bench {

namespace {

/// conv3×3 → norm → ReLU → conv3×3 → norm, plus a 1×1 shortcut: the block of fashion_mnist.
class Block : public nn::Module {
 public:
  Block(std::int64_t in, std::int64_t out, std::int64_t stride)
      : body_(add("body",
                  nn::Sequential(conv3x3(in, out, stride), nn::BatchNorm2d({.num_features = out}), nn::ReLU(),
                                 conv3x3(out, out, 1), nn::BatchNorm2d({.num_features = out})))),
        shortcut_(add("shortcut",
                      nn::Conv2d({.in_channels = in, .out_channels = out, .kernel_size = 1, .stride = stride},
                                 rng()))) {}
  Tensor forward(const Tensor& x) override { return relu(body_(x) + shortcut_(x)); }

 private:
  static nn::Conv2d conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride) {
    return nn::Conv2d({.in_channels = in,
                       .out_channels = out,
                       .kernel_size = 3,
                       .stride = stride,
                       .padding = 1,
                       .bias = false},
                      rng());
  }

  nn::Sequential& body_;
  nn::Conv2d& shortcut_;
};

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

std::shared_ptr<nn::Module> fashion_mnist() {
  constexpr std::int64_t kWidth = 12;
  return std::make_shared<nn::Sequential>(
      nn::Conv2d({.in_channels = 1,
                  .out_channels = kWidth,
                  .kernel_size = 5,
                  .stride = 2,
                  .padding = 2,
                  .bias = false},
                 rng()),
      nn::BatchNorm2d({.num_features = kWidth}), nn::ReLU(), Block(kWidth, kWidth, 1),
      Block(kWidth, 2 * kWidth, 2), Block(2 * kWidth, 4 * kWidth, 2), nn::AdaptiveAvgPool2d(1), nn::Flatten(),
      nn::Linear({.in_features = 4 * kWidth, .out_features = 10}, rng()));
}

std::shared_ptr<nn::Module> mu_transfer() {
  constexpr std::int64_t kWidth = 64;
  const auto conv = [](std::int64_t in, std::int64_t stride) {
    return nn::Conv2d({.in_channels = in,
                       .out_channels = kWidth,
                       .kernel_size = 3,
                       .stride = stride,
                       .padding = 1,
                       .bias = false},
                      rng());
  };
  return std::make_shared<nn::Sequential>(
      conv(1, 2), nn::ReLU(), conv(kWidth, 2), nn::ReLU(), conv(kWidth, 1), nn::ReLU(),
      nn::AdaptiveAvgPool2d(1), nn::Flatten(),
      nn::Linear({.in_features = kWidth, .out_features = 10, .bias = false}, rng()));
}

/// The U-Net of ecg_denoise.
class EcgNet : public nn::Module {
 public:
  EcgNet()
      : stem_(add("stem",
                  nn::Conv1d({.in_channels = 1, .out_channels = kPlanes[0], .kernel_size = 15, .padding = 7},
                             rng()))),
        middle_(add("middle", block(kPlanes[kLevels], kPlanes[kLevels], 1, nn::Scaler::down))),
        head_(add("head",
                  nn::Conv1d({.in_channels = kPlanes[0], .out_channels = 1, .kernel_size = 7, .padding = 3},
                             rng()))) {
    for (int i = 0; i < kLevels; ++i) {
      const std::string level = std::to_string(i);
      const std::int64_t here = kPlanes[i], below = kPlanes[i + 1];
      encoders_.push_back(&add("encode" + level, block(here, here, 1, nn::Scaler::down)));
      downs_.push_back(&add("down" + level, block(here, below, 4, nn::Scaler::down)));
      ups_.push_back(&add("up" + level, block(below, here, 4, nn::Scaler::up)));
      decoders_.push_back(&add("decode" + level, block(here, here, 1, nn::Scaler::down)));
    }
  }

  Tensor forward(const Tensor& x) override {
    std::vector<Tensor> skips;
    Tensor h = stem_(x);
    for (std::size_t i = 0; i < kLevels; ++i) {
      skips.push_back((*encoders_[i])(h));
      h = (*downs_[i])(skips.back());
    }
    h = middle_(h);
    for (std::size_t i = kLevels; i-- > 0;) h = (*decoders_[i])((*ups_[i])(h) + skips[i]);
    return head_(h);
  }

 private:
  using PlainBlock = nn::BlockPlain1d;
  static constexpr int kLevels = 4;
  static constexpr std::int64_t kPlanes[] = {12, 24, 36, 48, 48};

  static PlainBlock block(std::int64_t in, std::int64_t out, std::int64_t stride, nn::Scaler scaler) {
    return PlainBlock({.in_planes = in,
                       .out_planes = out,
                       .kernel_size = 5,
                       .stride = stride,
                       .padding = 2,
                       .normalizer = nn::Normalizer::null,
                       .scaler = scaler},
                      rng());
  }

  nn::Conv1d& stem_;
  std::vector<PlainBlock*> encoders_, downs_, ups_, decoders_;
  PlainBlock& middle_;
  nn::Conv1d& head_;
};

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

Training make_training(const std::string& name, const Shape& shape) {
  Training training;
  if (name == "ecg_denoise") {
    training.net = std::make_shared<EcgNet>();
    const Tensor target = Tensor::randn(shape, rng());
    training.loss = [=](const Tensor& output) { return mse_loss(output, target); };
  } else {
    training.net = name == "tiny"            ? tiny()
                   : name == "first_net"     ? first_net()
                   : name == "fashion_mnist" ? fashion_mnist()
                                             : mu_transfer();
    training.loss = classification(shape[0], name == "tiny" ? 4 : name == "first_net" ? 3 : 10);
  }
  training.optimizer = name == "tiny" || name == "mu_transfer"
                           ? optimizer_of<optim::Adam, optim::AdamOptions>(*training.net)
                           : optimizer_of<optim::AdamW, optim::AdamWOptions>(*training.net);
  return training;
}

}  // namespace evenkeel::bench
