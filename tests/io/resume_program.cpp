// Trains a small net for some steps and saves a checkpoint: resume_program <optimizer> <load or -> <save>
// <last step> <threads> Run in new processes by checkpoint_test.cpp, which compares the files.

#include <evenkeel/evenkeel.h>

#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace ek = evenkeel;

namespace {

struct Net : ek::nn::Module {
  explicit Net(ek::Rng& rng)
      : body(add("body", ek::nn::Sequential(
                             ek::nn::Conv1d(
                                 {.in_channels = 1, .out_channels = 4, .kernel_size = 3, .padding = 1}, rng),
                             ek::nn::BatchNorm1d({.num_features = 4}), ek::nn::ReLU(),
                             ek::nn::Dropout({.p = 0.3}, rng), ek::nn::Flatten()))),
        head(add("head", ek::nn::Linear({.in_features = 32, .out_features = 3}, rng))) {}
  ek::Tensor forward(const ek::Tensor& x) override { return head(body(x)); }
  ek::nn::Sequential& body;
  ek::nn::Linear& head;
};

std::unique_ptr<ek::optim::Optimizer> make_optimizer(const std::string& name, const Net& net) {
  const auto parameters = net.named_parameters();
  if (name == "sgd")
    return std::make_unique<ek::optim::SGD>(
        parameters, ek::optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .nesterov = true});
  if (name == "adam")
    return std::make_unique<ek::optim::Adam>(parameters, ek::optim::AdamOptions{.lr = 0.01, .amsgrad = true});
  return std::make_unique<ek::optim::AdamW>(parameters, ek::optim::AdamWOptions{.lr = 0.01});
}

void run(const std::string& optimizer_name, const std::string& from, const std::string& to,
         std::int64_t last_step) {
  ek::Rng rng(1), noise(2);
  Net net(rng);
  const auto optimizer = make_optimizer(optimizer_name, net);
  std::optional<ek::optim::LRScheduler> schedule;  // an optimiser has one schedule
  std::optional<ek::optim::ReduceLROnPlateau> plateau;
  const ek::Tensor inputs = ek::Tensor::randn({22, 1, 8}, rng);
  const ek::Tensor labels = ek::Tensor::uniform({22}, 0, 3, rng).to(ek::DType::i64);
  ek::io::DataLoader loader(
      ek::io::TensorDataset(inputs, labels),
      {.batch_size = 4, .shuffle = true, .seed = 7, .transform = [](auto batch, ek::Rng& r) {
         batch.inputs = batch.inputs + ek::Tensor::randn(batch.inputs.shape(), r) * 0.1;
         return batch;
       }});
  std::int64_t step = 0;
  ek::io::Checkpoint checkpoint;
  checkpoint.add("model", net);
  checkpoint.add("optimizer", *optimizer);
  if (optimizer_name == "adam")
    checkpoint.add("schedule", plateau.emplace(*optimizer, ek::optim::ReduceLROnPlateauOptions{
                                                               .factor = 0.5, .patience = 1}));
  else
    checkpoint.add("schedule", schedule.emplace(*optimizer, ek::optim::cosine_annealing_lr({.T_max = 40})));
  checkpoint.add("loader", loader);
  checkpoint.add("noise", noise);
  checkpoint.add("step", step);
  if (from != "-") checkpoint.load(from);
  while (step < last_step) {
    for (auto [x, y] : loader) {
      const ek::Tensor loss = ek::cross_entropy(net(x + ek::Tensor::randn(x.shape(), noise) * 0.01), y);
      loss.backward();
      optimizer->step();
      ++step;
      if (plateau)
        plateau->step(loss.item());
      else
        schedule->step();
      if (step == last_step) break;
    }
  }
  checkpoint.save(to);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 6) return 2;
    ek::set_num_threads(std::stoi(argv[5]));
    run(argv[1], argv[2], argv[3], std::stoll(argv[4]));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
