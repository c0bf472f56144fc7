#pragma once

#include <evenkeel/evenkeel.h>

namespace fashion {

/// A convolution in front of a norm.
inline evenkeel::nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                                 evenkeel::Rng& rng) {
  return {{.in_channels = in,
           .out_channels = out,
           .kernel_size = kernel,
           .stride = stride,
           .padding = kernel / 2,
           .bias = false},
          rng};
}

/// conv3×3 → norm → ReLU → conv3×3 → norm, plus a 1×1 shortcut (arXiv 1512.03385).
struct Block : evenkeel::nn::Module {
  Block(std::int64_t in, std::int64_t out, std::int64_t stride, evenkeel::Rng& rng)
      : conv1(add("conv1", conv(in, out, 3, stride, rng))),
        norm1(add("norm1", evenkeel::nn::BatchNorm2d({.num_features = out}))),
        conv2(add("conv2", conv(out, out, 3, 1, rng))),
        norm2(add("norm2", evenkeel::nn::BatchNorm2d({.num_features = out}))),
        shortcut(
            add("shortcut",
                evenkeel::nn::Conv2d(
                    {.in_channels = in, .out_channels = out, .kernel_size = 1, .stride = stride}, rng))) {}

  evenkeel::Tensor forward(const evenkeel::Tensor& x) override {
    return evenkeel::relu(norm2(conv2(evenkeel::relu(norm1(conv1(x))))) + shortcut(x));
  }

  evenkeel::nn::Conv2d& conv1;
  evenkeel::nn::BatchNorm2d& norm1;
  evenkeel::nn::Conv2d& conv2;
  evenkeel::nn::BatchNorm2d& norm2;
  evenkeel::nn::Conv2d& shortcut;
};

/// [N, 1, 28, 28] -> [N, 10].
struct Net : evenkeel::nn::Module {
  Net(std::int64_t width, evenkeel::Rng& rng)
      : stem(add("stem", conv(1, width, 5, 2, rng))),
        norm(add("norm", evenkeel::nn::BatchNorm2d({.num_features = width}))),
        block1(add("block1", Block(width, width, 1, rng))),
        block2(add("block2", Block(width, 2 * width, 2, rng))),
        block3(add("block3", Block(2 * width, 4 * width, 2, rng))),
        head(add("head", evenkeel::nn::Linear({.in_features = 4 * width, .out_features = 10}, rng))) {}

  evenkeel::Tensor forward(const evenkeel::Tensor& images) override {
    const evenkeel::Tensor features = block3(block2(block1(evenkeel::relu(norm(stem(images))))));
    return head(evenkeel::mean(features, {2, 3}));
  }

  evenkeel::nn::Conv2d& stem;
  evenkeel::nn::BatchNorm2d& norm;
  Block &block1, &block2, &block3;
  evenkeel::nn::Linear& head;
};

}  // namespace fashion
