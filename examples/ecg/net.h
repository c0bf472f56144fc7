#pragma once

#include <evenkeel/evenkeel.h>
#include <evenkeel/nn/resnet.h>

#include <string>
#include <vector>

namespace ecg {

/// Four times down by four and up again, with a skip at every size.
class UNet : public evenkeel::nn::Module {
 public:
  static constexpr std::int64_t kTotalStride = 256;

  UNet(std::int64_t width, evenkeel::Rng& rng)
      : stem_(add("stem",
                  evenkeel::nn::Conv1d(
                      {.in_channels = 1, .out_channels = width, .kernel_size = 15, .padding = 7}, rng))),
        middle_(add("middle", block(4 * width, 4 * width, 1, evenkeel::nn::Scaler::down, rng))),
        head_(add("head",
                  evenkeel::nn::Conv1d(
                      {.in_channels = width, .out_channels = 1, .kernel_size = 7, .padding = 3}, rng))) {
    const std::int64_t planes[] = {width, 2 * width, 3 * width, 4 * width, 4 * width};
    for (int i = 0; i < kLevels; ++i) {
      const std::string level = std::to_string(i);
      const std::int64_t here = planes[i], below = planes[i + 1];
      encoders_.push_back(&add("encode" + level, block(here, here, 1, evenkeel::nn::Scaler::down, rng)));
      downs_.push_back(&add("down" + level, block(here, below, 4, evenkeel::nn::Scaler::down, rng)));
      ups_.push_back(&add("up" + level, block(below, here, 4, evenkeel::nn::Scaler::up, rng)));
      decoders_.push_back(&add("decode" + level, block(here, here, 1, evenkeel::nn::Scaler::down, rng)));
    }
  }

  evenkeel::Tensor forward(const evenkeel::Tensor& x) override {
    std::vector<evenkeel::Tensor> skips;
    evenkeel::Tensor h = stem_(x);
    for (std::size_t i = 0; i < kLevels; ++i) {
      skips.push_back((*encoders_[i])(h));
      h = (*downs_[i])(skips.back());
    }
    h = middle_(h);
    for (std::size_t i = kLevels; i-- > 0;) h = (*decoders_[i])((*ups_[i])(h) + skips[i]);
    return head_(h);
  }

 private:
  using Block = evenkeel::nn::BlockPlain1d;
  static constexpr int kLevels = 4;

  static Block block(std::int64_t in, std::int64_t out, std::int64_t stride, evenkeel::nn::Scaler scaler,
                     evenkeel::Rng& rng) {
    return Block({.in_planes = in,
                  .out_planes = out,
                  .kernel_size = 5,
                  .stride = stride,
                  .padding = 2,
                  .normalizer = evenkeel::nn::Normalizer::null,
                  .scaler = scaler},
                 rng);
  }

  evenkeel::nn::Conv1d& stem_;
  std::vector<Block*> encoders_, downs_, ups_, decoders_;
  Block& middle_;
  evenkeel::nn::Conv1d& head_;
};

}  // namespace ecg
