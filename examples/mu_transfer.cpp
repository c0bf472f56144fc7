// Finds the best learning rate of nets of width 16 … 256, in the standard parametrisation and in u-muP, on
// Fashion-MNIST and on DNA sequences: with u-muP the rate found on the narrow net is right for the wide one.
//
//   mu_transfer --quick         widths 16 … 128, one seed: two minutes
//   mu_transfer                 widths 16 … 256, three seeds; interrupt it and it goes on where it was
//   mu_transfer --help

#include <evenkeel/evenkeel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <tuple>

namespace ek = evenkeel;
namespace us = evenkeel::unit_scaled;

namespace {

constexpr const char* kStandard = "standard";
constexpr const char* kUnitScaled = "u-muP";
constexpr std::int64_t kJudged = 2048;

/// What the nets learn from, and how.
struct Task {
  std::string name;
  ek::Tensor inputs, labels;  // inputs have mean 0 and deviation 1
  std::int64_t classes = 0;
  std::vector<std::int64_t> strides;  // one a convolution
  std::int64_t batch = 0, steps = 0;
};

template <int D>
struct Standard {
  using Conv = std::conditional_t<D == 1, ek::nn::Conv1d, ek::nn::Conv2d>;
  using Readout = ek::nn::Linear;
  using ConvOptions = ek::nn::ConvOptions;

  static ek::Tensor normed_relu(const ek::Tensor& x) {
    return ek::relu(ek::rms_norm(x, x.shape().slice(1, x.rank())));
  }
  static ek::Tensor loss(const ek::Tensor& x, const ek::Tensor& labels) {
    return ek::cross_entropy(x, labels);
  }
  static void initialize(Conv& conv, ek::Rng& rng) { ek::nn::init::kaiming_normal_(conv.weight(), rng); }
  static ek::optim::ParamGroup parameters(const ek::nn::Module& net) { return {net.named_parameters()}; }
};

template <int D>
struct UnitScaled {
  using Conv = std::conditional_t<D == 1, us::Conv1d, us::Conv2d>;
  using Readout = us::LinearReadout;
  using ConvOptions = us::ConvOptions;

  static ek::Tensor normed_relu(const ek::Tensor& x) {
    return us::relu(us::rms_norm(x, x.shape().slice(1, x.rank())));
  }
  static ek::Tensor loss(const ek::Tensor& x, const ek::Tensor& labels) {
    return us::cross_entropy(x, labels);
  }
  static void initialize(Conv&, ek::Rng&) {}
  static ek::optim::ParamGroup parameters(const ek::nn::Module& net) {
    return ek::optim::mup(net.named_parameters());
  }
};

/// Convolutions with RMS norm and ReLU behind each, and a readout of all channels at all places.
template <class Family>
struct Net : ek::nn::Module {
  Net(const Task& task, std::int64_t width, ek::Rng& rng) {
    ek::Shape places = task.inputs.shape().slice(2, task.inputs.rank());
    for (const std::int64_t stride : task.strides) {
      typename Family::ConvOptions options{.in_channels = convs.empty() ? task.inputs.dim(1) : width,
                                           .out_channels = width,
                                           .kernel_size = 3,
                                           .stride = stride,
                                           .padding = 1};
      options.bias = false;
      convs.push_back(&add(fmt::format("conv{}", convs.size() + 1), typename Family::Conv(options, rng)));
      Family::initialize(*convs.back(), rng);
      for (int axis = 0; axis < places.rank(); ++axis)
        places = places.with(axis, (places[axis] - 1) / stride + 1);
    }
    readout =
        &add("readout",
             typename Family::Readout(
                 {.in_features = width * places.numel(), .out_features = task.classes, .bias = false}, rng));
  }

  ek::Tensor forward(const ek::Tensor& inputs) override {
    ek::Tensor x = inputs;
    for (auto* conv : convs) x = Family::normed_relu((*conv)(x));
    return (*readout)(ek::flatten(x, 1));
  }

  std::vector<typename Family::Conv*> convs;
  typename Family::Readout* readout;
};

/// Loss over kJudged of the samples that it has learned from, after a short training with Adam; NaN if that
/// diverged. Runs of one seed see the same samples in the same order.
template <class Family>
double train(const Task& task, const ek::analysis::SweepRun& run) {
  ek::Rng weights(run.seed), order(1000 + run.seed);
  Net<Family> net(task, run.width, weights);
  const std::int64_t warm_up = task.steps / 10;
  ek::optim::Adam adam(Family::parameters(net), {.lr = run.rate});
  ek::optim::LRScheduler schedule(
      adam,
      ek::optim::sequential_lr(
          {ek::optim::linear_lr({.start_factor = 1.0 / static_cast<double>(warm_up), .total_iters = warm_up}),
           ek::optim::cosine_annealing_lr({.T_max = task.steps - warm_up})},
          {warm_up}));
  const ek::io::TensorDataset data(task.inputs, task.labels);
  std::vector<std::int64_t> samples;
  while (static_cast<std::int64_t>(samples.size()) < task.steps * task.batch) {
    const auto pass = order.permutation(data.size());
    samples.insert(samples.end(), pass.begin(), pass.end());
  }
  const auto batch_at = [&](std::int64_t first, std::int64_t size) {
    return data.get({samples.begin() + first, samples.begin() + first + size});
  };
  for (std::int64_t step = 0; step < task.steps; ++step) {
    const ek::io::Batch batch = batch_at(step * task.batch, task.batch);
    const ek::Tensor loss = Family::loss(net(batch.inputs), batch.targets);
    if (!std::isfinite(loss.item())) return std::numeric_limits<double>::quiet_NaN();
    loss.backward();
    adam.step();
    schedule.step();
  }
  const ek::NoGradScope no_grad;
  constexpr std::int64_t kChunk = 128;
  double sum = 0;
  for (std::int64_t first = 0; first < kJudged; first += kChunk) {
    const ek::io::Batch batch = batch_at(first, kChunk);
    sum += ek::cross_entropy(net(batch.inputs), batch.targets).item() * kChunk;
  }
  return sum / kJudged;
}

ek::Tensor standardized(const ek::Tensor& x) {
  const double mean = ek::mean(x).item();
  return (x - mean) / std::sqrt(ek::mean(ek::pow(x - mean, 2)).item());
}

/// Fashion-MNIST, 2 × 2 cells of 28 × 28 pooled to one of 14 × 14.
Task load_images(const std::string& folder) {
  const ek::Tensor pixels = ek::io::read_idx(folder + "/train-images-idx3-ubyte.gz");
  const ek::Tensor cells = ek::reshape(pixels, {pixels.dim(0), 14, 2, 14, 2});
  return {.name = "Fashion-MNIST",
          .inputs = standardized(ek::reshape(ek::mean(cells, std::vector{2, 4}), {pixels.dim(0), 1, 14, 14})),
          .labels = ek::io::read_idx(folder + "/train-labels-idx1-ubyte.gz", ek::DType::i64),
          .classes = 10,
          .strides = {2, 2, 2},
          .batch = 32,
          .steps = 300};
}

/// Splice junctions: 60 bases of two bits each; the window's middle is a donor, an acceptor or neither.
Task load_sequences(const std::string& folder) {
  constexpr std::int64_t kBases = 60, kClasses = 3;
  std::vector<float> bits;
  std::vector<std::int64_t> labels;
  for (const char* name : {"/gene.train", "/gene.test"}) {
    std::ifstream file(folder + name);
    std::int64_t count = 0, inputs = 0, outputs = 0;
    if (!(file >> count >> inputs >> outputs) || inputs != 2 * kBases || outputs != kClasses)
      throw std::runtime_error("[mu_transfer] expected splice junctions (Debian package libfann-doc) in " +
                               folder + name + ", got none");
    for (std::int64_t i = 0; i < count; ++i) {
      float value = 0;
      for (std::int64_t bit = 0; bit < inputs && file >> value; ++bit) bits.push_back(2 * value - 1);
      for (std::int64_t label = 0; label < outputs && file >> value; ++label)
        if (value == 1) labels.push_back(label);
    }
  }
  const auto count = static_cast<std::int64_t>(labels.size());
  const ek::Tensor bases = ek::Tensor::from(bits, {count, kBases, 2});
  return {.name = "DNA splice junctions",
          .inputs = standardized(ek::transpose(bases, 1, 2)),
          .labels = ek::Tensor::from(labels, {count}),
          .classes = kClasses,
          .strides = {2, 2, 1, 1},
          .batch = 32,
          .steps = 300};
}

std::vector<double> powers_of_two(int first, int last) {
  std::vector<double> powers;
  for (int exponent = first; exponent <= last; ++exponent) powers.push_back(std::exp2(exponent));
  return powers;
}

struct Plan {
  std::vector<std::int64_t> widths;
  int seeds;
  std::string folder, prefix;
};

/// Sweeps both families, prints the table, writes the chart; the last line says how far the best rates move.
template <int D>
void compare(const Task& task, const Plan& plan, const std::string& file_name) {
  namespace an = ek::analysis;
  std::vector<an::SweepRun> runs = an::sweep_grid(kUnitScaled, plan.widths, powers_of_two(-4, 3), plan.seeds);
  const auto standard = an::sweep_grid(kStandard, plan.widths, powers_of_two(-10, -3), plan.seeds);
  runs.insert(runs.begin(), standard.begin(), standard.end());
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.seed, -a.width) < std::tuple(b.seed, -b.width);  // each seed is a sweep of its own
  });

  const std::string base = plan.folder + "/" + plan.prefix + file_name;
  const auto results = an::sweep(
      runs,
      [&](const an::SweepRun& run) {
        return run.family == kStandard ? train<Standard<D>>(task, run) : train<UnitScaled<D>>(task, run);
      },
      {.path = base + ".jsonl",
       .setup = fmt::format("{}, convolutions of strides {}, RMS norm and ReLU, a readout of all places, "
                            "Adam, {} steps of {}, a tenth "
                            "warm-up, then cosine; loss over {} of the training samples after the last step",
                            task.name, fmt::join(task.strides, " "), task.steps, task.batch, kJudged)});
  std::ofstream(base + ".svg") << an::sweep_svg(results);

  const std::int64_t narrow = plan.widths.front(), wide = plan.widths.back();
  fmt::print("\n{}\n\n{}", task.name, an::sweep_table(results));
  for (const char* family : {kStandard, kUnitScaled}) {
    const double shared = an::best_rate(results, family, narrow);
    const double there = an::sweep_loss(results, family, wide, shared);
    const double best = an::sweep_loss(results, family, wide, an::best_rate(results, family, wide));
    fmt::print("{}: the rate of width {} loses {:.1f} % at width {}; loss at that rate by width:", family,
               narrow, 100 * (there / best - 1), wide);
    for (const std::int64_t width : plan.widths)
      fmt::print(" {:.4f}", an::sweep_loss(results, family, width, shared));
    fmt::print("\n");
  }
  fmt::print("chart: {}.svg\nbest-lr shift: standard {:g} octaves, u-muP {:g} octaves\n", base,
             an::best_rate_shift(results, kStandard), an::best_rate_shift(results, kUnitScaled));
}

constexpr const char* kHelp = R"(mu_transfer [options]: the best learning rate by width, standard and u-muP
  --quick             widths 16 to 128 and one seed, instead of 16 to 256 and three
  --task NAME         images, sequences or both (default)
  --images FOLDER     Fashion-MNIST (default /usr/share/datasets/fashion-mnist, package dataset-fashion-mnist)
  --sequences FOLDER  splice junctions (default /usr/share/doc/libfann-dev/examples/datasets, package libfann-doc;
                      --task both goes without them if they are not there)
  --out FOLDER        where results (JSONL) and charts (SVG) go, and whence a sweep goes on (default .)
  --jobs N            runs at a time (default: the number of cores)
)";

struct Arguments {
  Plan plan{{16, 32, 64, 128, 256}, 3, ".", "mu_transfer_"};
  std::string task = "both";
  std::string images = "/usr/share/datasets/fashion-mnist";
  std::string sequences = "/usr/share/doc/libfann-dev/examples/datasets";
};

/// False if only help was wanted.
bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (++i == argc) throw std::runtime_error("[mu_transfer] expected a value after " + option);
      return argv[i];
    };
    if (option == "--help") return fmt::print("{}", kHelp), false;
    if (option == "--quick")
      arguments.plan.widths = {16, 32, 64, 128}, arguments.plan.seeds = 1,
      arguments.plan.prefix = "mu_transfer_quick_";
    else if (option == "--task")
      arguments.task = value();
    else if (option == "--images")
      arguments.images = value();
    else if (option == "--sequences")
      arguments.sequences = value();
    else if (option == "--out")
      arguments.plan.folder = value();
    else if (option == "--jobs")
      ek::set_num_threads(std::stoi(value()));
    else
      throw std::runtime_error("[mu_transfer] expected an option of --help, got " + option);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return 0;
  const auto& [plan, task, images, sequences] = arguments;
  if (task == "sequences" || (task == "both" && std::filesystem::exists(sequences + "/gene.train")))
    compare<1>(load_sequences(sequences), plan, "splice");
  if (task != "sequences") compare<2>(load_images(images), plan, "fashion_mnist");
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
