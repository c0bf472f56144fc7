// Trains a small residual network on Fashion-MNIST, end to end: ./dev demo, or this program with --help.
#include "fashion_mnist/net.h"

#include <evenkeel/evenkeel.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <memory>

namespace ek = evenkeel;
namespace nn = evenkeel::nn;
namespace report = evenkeel::report;

namespace {

const std::vector<std::string> kClasses = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                           "sandal",  "shirt",   "sneaker",  "bag",   "boot"};
constexpr double kMean = 0.2860, kDeviation = 0.3530;  // of the training images, scaled to 0 … 1

struct Options {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out = "runs/fashion_mnist";
  std::string load, save;
  std::string optimizer = "adamw";
  std::int64_t epochs = 3, batch_size = 64, width = 12;
  std::optional<double> lr;
  double weight_decay = 0.01;
  int threads = 0;
  std::uint64_t seed = 1;
  bool resume = false;

  std::string file(const std::string& name) const { return out + "/" + name; }
};

std::unique_ptr<ek::optim::Optimizer> make_optimizer(const fashion::Net& net, const Options& options) {
  const double decay = options.weight_decay;
  if (options.optimizer == "sgd")
    return std::make_unique<ek::optim::SGD>(
        net.named_parameters(),
        ek::optim::SGDOptions{
            .lr = options.lr.value_or(0.1), .momentum = 0.9, .weight_decay = decay, .nesterov = true});
  const double lr = options.lr.value_or(0.01);
  if (options.optimizer == "adam")
    return std::make_unique<ek::optim::Adam>(net.named_parameters(),
                                             ek::optim::AdamOptions{.lr = lr, .weight_decay = decay});
  return std::make_unique<ek::optim::AdamW>(net.named_parameters(),
                                            ek::optim::AdamWOptions{.lr = lr, .weight_decay = decay});
}

/// The images of `part` ("train" or "t10k"), about 0 and 1 in mean and deviation, with their labels.
ek::io::TensorDataset read_part(const Options& options, const std::string& part) {
  const std::string start = options.data + "/" + part;
  ek::Tensor images = ek::io::read_idx(start + "-images-idx3-ubyte.gz");
  const ek::Tensor labels = ek::io::read_idx(start + "-labels-idx1-ubyte.gz", ek::DType::i64);
  if (images.rank() != 3)
    throw ek::ShapeError("[fashion_mnist] expected images [N, 28, 28], got " + images.shape().str());
  images = ek::affine(images, 1 / (255 * kDeviation), -kMean / kDeviation);
  return ek::io::TensorDataset(ek::reshape(images, {images.dim(0), 1, images.dim(1), images.dim(2)}), labels);
}

/// A copy of images [N, 1, H, W], each mirrored left to right with probability 1/2 and moved by up to
/// `reach` cells either way along both axes; black comes in.
ek::Tensor vary(const ek::Tensor& images, std::int64_t reach, ek::Rng& rng) {
  ek::Tensor result = images.clone();
  const std::int64_t height = images.dim(2), width = images.dim(3);
  const auto random_move = [&] {
    return reach == 0 ? 0 : static_cast<std::int64_t>(rng.below(2 * reach + 1)) - reach;
  };
  for (std::int64_t i = 0; i < images.dim(0); ++i) {
    const bool mirrored = rng.below(2) == 1;
    const std::int64_t down = random_move(), right = random_move();
    const float* from = images.data<float>() + i * height * width;
    float* to = result.mutable_data<float>() + i * height * width;
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t row = y - down, column = (mirrored ? width - 1 - x : x) - right;
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        *to++ = inside ? from[row * width + column] : static_cast<float>(-kMean / kDeviation);
      }
  }
  return result;
}

volatile std::sig_atomic_t interrupted = 0;

/// Sums over samples.
struct Tally {
  double loss = 0, right = 0, count = 0;

  Tally() = default;
  Tally(const ek::Tensor& mean_loss, const ek::Tensor& logits, const ek::Tensor& labels)
      : count(static_cast<double>(labels.numel())) {
    loss = mean_loss.item() * count;
    const auto guesses = ek::argmax(logits, 1).to_vector<std::int64_t>();
    for (std::size_t i = 0; i < guesses.size(); ++i) right += guesses[i] == labels.data<std::int64_t>()[i];
  }
  Tally& operator+=(const Tally& other) {
    loss += other.loss, right += other.right, count += other.count;
    return *this;
  }
  double mean_loss() const { return loss / count; }
  double accuracy() const { return right / count; }

  // A checkpoint keeps the sums, so that an epoch's means do not depend on interruptions.
  ek::optim::StateDict state() const { return {{"sums", ek::Tensor::from({loss, right, count}, {3})}}; }
  void load_state(const ek::optim::StateDict& state) {
    const auto sums = state.at("sums").to_vector<double>();
    loss = sums.at(0), right = sums.at(1), count = sums.at(2);
  }
};

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        rng_(options.seed),
        net_(options.width, rng_),
        optimizer_(make_optimizer(net_, options)),
        train_(read_part(options, "train"),
               {.batch_size = options.batch_size, .shuffle = true, .seed = options.seed, .drop_last = true}),
        test_(read_part(options, "t10k"), {.batch_size = 500}),
        schedule_(*optimizer_, ek::optim::one_cycle_lr(
                                   {.total_steps = options.epochs * train_.size() + 1, .pct_start = 0.2})),
        epochs_(options.epochs) {
    checkpoint_.add("model", net_);
    checkpoint_.add("optimizer", *optimizer_);
    checkpoint_.add("schedule", schedule_);
    checkpoint_.add("loader", train_);
    checkpoint_.add("rng", rng_);
    checkpoint_.add("epoch_tally", epoch_tally_);
    checkpoint_.add("window_tally", window_tally_);
    checkpoint_.add("epochs", epochs_);
  }

  int main() {
    std::filesystem::create_directories(options_.out);
    fmt::print("{}\n", nn::summary(net_, {1, 28, 28}).str());
    if (!options_.load.empty()) ek::io::load_weights(options_.load, net_);
    if (options_.resume) resume();
    metrics_ = std::make_unique<report::JsonLines>(options_.file("metrics.jsonl"), options_.resume);
    Tally test;
    if (train_.epoch() == options_.epochs) test = evaluate();
    while (train_.epoch() < options_.epochs) {
      if (!train_epoch()) {
        save();
        fmt::print("stopped after step {}; --resume goes on from there\n", schedule_.steps());
        return 0;
      }
      test = evaluate();
      finish_epoch(test);
      save();
    }
    draw();
    fmt::print("{}: metrics.jsonl, curves.svg, confusion.svg, checkpoint.h5; weights in {}\n", options_.out,
               weights_file());
    fmt::print("test accuracy: {:.4f}\n", test.accuracy());
    return 0;
  }

 private:
  /// False if it was interrupted.
  bool train_epoch() {
    net_.train();
    epoch_start_ = now();
    report::Progress progress({.label = fmt::format("epoch {}/{}", train_.epoch() + 1, options_.epochs),
                               .total = train_.size(),
                               .initial = train_.position()});
    const std::int64_t reach = options_.epochs > 5 ? 1 : 0;  // a few passes do not overfit
    for (const auto& [images, labels] : train_) {
      step(vary(images, reach, rng_), labels);
      progress.update(train_.position(), fmt::format("loss {:.3f}", epoch_tally_.mean_loss()));
      if (interrupted) return false;
    }
    return true;
  }

  void step(const ek::Tensor& images, const ek::Tensor& labels) {
    const ek::Tensor logits = net_(images);
    const ek::Tensor loss = ek::cross_entropy(logits, labels);
    if (!std::isfinite(loss.item())) explain(images, labels);
    loss.backward();
    optimizer_->step();
    schedule_.step();
    const Tally tally(loss, logits, labels);
    epoch_tally_ += tally;
    window_tally_ += tally;
    if (schedule_.steps() % 50 != 0) return;
    metrics_->write({{"step", schedule_.steps()},
                     {"epoch", static_cast<double>(schedule_.steps()) / static_cast<double>(train_.size())},
                     {"loss", window_tally_.mean_loss()},
                     {"lr", optimizer_->groups()[0].lr}});
    window_tally_ = {};
  }

  /// Runs the batch again to find out where the first NaN or infinity arises.
  void explain(const ek::Tensor& images, const ek::Tensor& labels) {
    const ek::AnomalyScope anomaly;
    ek::cross_entropy(net_(images), labels);
    throw ek::ValueError(
        fmt::format("[fashion_mnist] expected a finite loss, got none at step {}", schedule_.steps()));
  }

  void finish_epoch(const Tally& test) {
    fmt::print("epoch {}/{}  train loss {:.4f} accuracy {:.4f}  test loss {:.4f} accuracy {:.4f}  {:.1f} s\n",
               train_.epoch(), options_.epochs, epoch_tally_.mean_loss(), epoch_tally_.accuracy(),
               test.mean_loss(), test.accuracy(), now() - epoch_start_);
    std::fflush(stdout);
    metrics_->write({{"step", schedule_.steps()},
                     {"epoch", static_cast<double>(train_.epoch())},
                     {"train_loss", epoch_tally_.mean_loss()},
                     {"train_accuracy", epoch_tally_.accuracy()},
                     {"test_loss", test.mean_loss()},
                     {"test_accuracy", test.accuracy()},
                     {"seconds", now() - epoch_start_}});
    epoch_tally_ = {};
  }

  Tally evaluate() {
    const ek::NoGradScope no_grad;
    net_.eval();
    confusion_.fill(0);
    Tally tally;
    for (const auto& [images, labels] : test_) {
      const ek::Tensor logits = net_(images);
      tally += Tally(ek::cross_entropy(logits, labels), logits, labels);
      const auto guesses = ek::argmax(logits, 1).to_vector<std::int64_t>();
      for (std::size_t i = 0; i < guesses.size(); ++i)
        ++confusion_[static_cast<std::size_t>(labels.data<std::int64_t>()[i] * 10 + guesses[i])];
    }
    return tally;
  }

  std::string checkpoint_file() const { return options_.file("checkpoint.h5"); }
  std::string weights_file() const {
    return options_.save.empty() ? options_.file("weights.h5") : options_.save;
  }

  void save() const {
    ek::io::save_weights(weights_file(), net_);
    checkpoint_.save(checkpoint_file());
  }

  void resume() {
    checkpoint_.load(checkpoint_file());
    if (epochs_ != options_.epochs)
      throw ek::ConfigError(
          fmt::format("[fashion_mnist] expected --epochs {}, with which the run began, got {}", epochs_,
                      options_.epochs));
    report::cut_json_lines(options_.file("metrics.jsonl"), "step", static_cast<double>(schedule_.steps()));
    fmt::print("going on after step {}\n", schedule_.steps());
  }

  void draw() const {
    report::Series train_loss{.name = "train"}, test_loss{.name = "test", .dashed = true, .markers = true};
    report::Series train_accuracy{.name = "train", .markers = true};
    report::Series test_accuracy{.name = "test", .dashed = true, .markers = true};
    const auto add = [](report::Series& series, const auto& record, const char* key, double factor) {
      if (!record.contains(key)) return;
      series.x.push_back(record.at("epoch"));
      series.y.push_back(factor * record.at(key));
    };
    for (const auto& record : report::read_json_lines(options_.file("metrics.jsonl"))) {
      add(train_loss, record, "loss", 1);
      add(test_loss, record, "test_loss", 1);
      add(train_accuracy, record, "train_accuracy", 100);
      add(test_accuracy, record, "test_accuracy", 100);
    }
    report::save_svg(options_.file("curves.svg"),
                     {report::LineChart{.title = "Loss",
                                        .x_label = "epoch",
                                        .y_label = "cross entropy (nats)",
                                        .series = {train_loss, test_loss}},
                      report::LineChart{.title = "Accuracy",
                                        .x_label = "epoch",
                                        .y_label = "accuracy (%)",
                                        .series = {train_accuracy, test_accuracy}}});
    report::save_svg(options_.file("confusion.svg"),
                     {report::HeatMap{.title = "Test images by true and predicted class",
                                      .x_label = "predicted",
                                      .y_label = "true",
                                      .rows = kClasses,
                                      .columns = kClasses,
                                      .values = {confusion_.begin(), confusion_.end()},
                                      .gamma = 0.5}},
                     {.panel_width = 600, .panel_height = 540});
  }

  static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  Options options_;
  ek::Rng rng_;
  fashion::Net net_;
  std::unique_ptr<ek::optim::Optimizer> optimizer_;
  ek::io::DataLoader train_, test_;
  ek::optim::LRScheduler schedule_;
  std::unique_ptr<report::JsonLines> metrics_;
  Tally epoch_tally_, window_tally_;  // of this epoch; since the last line of metrics.jsonl
  std::int64_t epochs_;
  ek::io::Checkpoint checkpoint_;
  std::array<double, 100> confusion_{};
  double epoch_start_ = 0;
};

/// Ctrl-C ends the run after the current step; a second one at once.
void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a small residual network on Fashion-MNIST.", "fashion_mnist");
  app.add_option("--data", options.data, "folder with the four IDX files (.gz)")->capture_default_str();
  app.add_option("--out", options.out, "folder for all that the run leaves")->capture_default_str();
  app.add_option("--epochs", options.epochs)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--batch-size", options.batch_size)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--lr", options.lr, "highest learning rate [0.01; sgd: 0.1]");
  app.add_option("--weight-decay", options.weight_decay)->capture_default_str();
  app.add_option("--width", options.width, "channels of the first layer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--optimizer", options.optimizer)
      ->check(CLI::IsMember({"sgd", "adam", "adamw"}))
      ->capture_default_str();
  app.add_option("--load", options.load, "weights to begin with");
  app.add_option("--save", options.save, "file for the weights [<out>/weights.h5]");
  app.add_flag("--resume", options.resume, "go on from <out>/checkpoint.h5, bit for bit");
  try {
    app.parse(argc, argv);
    if (options.threads > 0) ek::set_num_threads(options.threads);
    catch_interrupt();
    return Run(options).main();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "fashion_mnist: {}\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "fashion_mnist: {}\n", error.what());
  }
  return 1;
}
