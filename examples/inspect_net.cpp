// Looks into nets before they are trained: where the time of a step goes, how large its numbers are, and
// whether a learning rate found on a narrow net will hold on a wide one; in the standard parametrisation and
// in u-muP.
//
//   inspect_net [FOLDER]     writes scales_*.svg and coord_check_*.svg there (default .)

#include <evenkeel/evenkeel.h>

#include <fstream>
#include <iostream>
#include <string>

namespace ek = evenkeel;
namespace us = evenkeel::unit_scaled;

namespace {

constexpr std::int64_t kBatch = 16, kChannels = 4, kLength = 32, kClasses = 5;

struct Standard : ek::nn::Module {
  Standard(std::int64_t width, ek::Rng& rng)
      : stem(add("stem",
                 ek::nn::Conv1d({.in_channels = kChannels, .out_channels = width, .kernel_size = 5}, rng))),
        body(add("body",
                 ek::nn::Conv1d({.in_channels = width, .out_channels = width, .kernel_size = 5}, rng))),
        head(add("head", ek::nn::Linear({.in_features = width, .out_features = kClasses}, rng))) {}
  ek::Tensor forward(const ek::Tensor& signal) override {
    return head(ek::mean(ek::relu(body(ek::relu(stem(signal)))), 2));
  }
  ek::nn::Conv1d &stem, &body;
  ek::nn::Linear& head;
};

struct UnitScaled : ek::nn::Module {
  UnitScaled(std::int64_t width, ek::Rng& rng)
      : stem(add("stem",
                 us::Conv1d({.in_channels = kChannels, .out_channels = width, .kernel_size = 5}, rng))),
        body(add("body", us::Conv1d({.in_channels = width, .out_channels = width, .kernel_size = 5}, rng))),
        head(add("head", us::LinearReadout({.in_features = width, .out_features = kClasses}, rng))) {}
  ek::Tensor forward(const ek::Tensor& signal) override {
    return head(ek::mean(us::relu(body(us::relu(stem(signal)))), 2));
  }
  us::Conv1d &stem, &body;
  us::LinearReadout& head;
};

ek::optim::ParamGroup rates(const Standard& net) { return {net.named_parameters()}; }
ek::optim::ParamGroup rates(const UnitScaled& net) { return ek::optim::mup(net.named_parameters()); }

template <class Net>
void inspect(const std::string& name, const std::string& folder, double rate,
             const ek::analysis::LossFunction& loss) {
  ek::Rng rng(1);
  Net net(64, rng);
  const ek::Tensor signals = ek::Tensor::randn({kBatch, kChannels, kLength}, rng);

  std::cout << "\n== " << name << "\n\n" << ek::analysis::profile(net, signals, {.loss = loss}).text();

  const ek::analysis::ScaleReport scales = ek::analysis::scale_report(net, signals, loss);
  std::cout << "\n" << scales.text();
  std::ofstream(folder + "/scales_" + name + ".svg") << scales.svg();

  const auto make = [rate](std::int64_t width, ek::Rng& weights) {
    auto model = std::make_unique<Net>(width, weights);
    auto adam = std::make_unique<ek::optim::Adam>(rates(*model), ek::optim::AdamOptions{.lr = rate});
    return ek::analysis::Trainee{std::move(model), std::move(adam)};
  };
  const ek::analysis::CoordCheck check = ek::analysis::coord_check(make, signals, loss, {.steps = 2});
  std::cout << "\n" << check.text();
  std::ofstream(folder + "/coord_check_" + name + ".svg") << check.svg();
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string folder = argc > 1 ? argv[1] : ".";
  std::vector<std::int64_t> classes;
  for (std::int64_t i = 0; i < kBatch; ++i) classes.push_back(i % kClasses);
  const ek::Tensor labels = ek::Tensor::from(classes, {kBatch});
  inspect<Standard>("standard", folder, 0.01,
                    [&](const ek::Tensor& output) { return ek::cross_entropy(output, labels); });
  inspect<UnitScaled>("u-muP", folder, 0.125,
                      [&](const ek::Tensor& output) { return us::cross_entropy(output, labels); });
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
