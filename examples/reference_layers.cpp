// Every layer of the reference texts: the four summary tables that the texts print, and for each layer what
// it makes of an input, its parameters, and how far it is from the golden files (tests/golden), which PyTorch
// computed.
#include "support/golden_layers.h"

#include <evenkeel/evenkeel.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>

namespace ek = evenkeel;
namespace nn = evenkeel::nn;

namespace {

void print_tables(ek::Rng& rng) {
  const auto print = [](const char* text, int example, nn::Module&& layer, const ek::Shape& input) {
    fmt::print("== {} example {}\n{}\n", text, example, nn::summary(layer, input).str());
  };
  print("modules.conv.ConvModern1d", 1,
        nn::ConvModern1d({.in_planes = 16, .out_planes = 32, .stride = 2}, rng), {16, 255});
  print("modules.conv.ConvModern1d", 2,
        nn::ConvModern1d({.in_planes = 32, .out_planes = 16, .output_size = 255, .scaler = nn::Scaler::up},
                         rng),
        {32, 128});
  print("modules.resnet.BlockBottleneck2d", 1,
        nn::BlockBottleneck2d({.in_planes = 16, .out_planes = 32, .stride = {1, 2}}, rng), {16, 4, 255});
  print("modules.resnet.BlockBottleneck2d", 2,
        nn::BlockBottleneck2d(
            {.in_planes = 32, .out_planes = 16, .output_size = {4, 255}, .scaler = nn::Scaler::up}, rng),
        {32, 4, 128});
}

/// Largest difference from golden results, over the largest value of each.
struct Difference {
  double output = 0;    // and running statistics
  double gradient = 0;  // of input and parameters
};

/// Differences from the golden cases of one op.
struct Agreement {
  int cases = 0;
  Difference f64, f32;
};

/// Compares a case in both types; false if it makes no layer.
bool compare(const ek::test::GoldenCase& golden, Agreement& agreement) {
  for (const ek::DType dtype : {ek::DType::f64, ek::DType::f32}) {
    const std::unique_ptr<nn::Module> layer = ek::test::make_golden_layer(golden, dtype);
    if (!layer) return false;
    Difference& worst = dtype == ek::DType::f64 ? agreement.f64 : agreement.f32;
    for (const auto& [name, difference] : ek::test::layer_differences(golden, *layer, dtype)) {
      double& largest = name.rfind("grad_", 0) == 0 ? worst.gradient : worst.output;
      largest = std::max(largest, difference);
    }
  }
  ++agreement.cases;
  return true;
}

std::map<std::string, Agreement> compare_all(const std::string& folder, int& left_out) {
  std::map<std::string, Agreement> agreements;
  for (const char* file : {"ops.h5", "conv_layers.h5", "mdnc_1d.h5", "mdnc_2d.h5", "mdnc_3d.h5", "unet.h5"})
    for (const ek::test::GoldenCase& golden : ek::test::read_golden(file, folder)) {
      if (ek::test::contradicts_itself(golden))
        ++left_out;
      else if (Agreement& agreement = agreements[golden.op]; !compare(golden, agreement))
        agreements.erase(golden.op);
    }
  for (const ek::test::GoldenCase& golden : ek::test::read_golden("unit_scaling.h5", folder))
    if (golden.op == "conv1d") compare(golden, agreements["unit_scaled.conv1d"]);
  return agreements;
}

class Report {
 public:
  explicit Report(const std::map<std::string, Agreement>& agreements) : agreements_(agreements) {
    fmt::print("{:<18} {:>20} -> {:<20} {:>10} {:>5} {:>10} {:>9} {:>10} {:>9}\n", "layer", "input", "output",
               "parameters", "cases", "f64 output", "gradients", "f32 output", "gradients");
  }
  void line(const std::string& op, nn::Module&& layer, const ek::Shape& input) {
    const ek::NoGradScope no_grad;
    const ek::Tensor output = layer(ek::Tensor::zeros(input));
    const auto& [cases, f64, f32] = agreements_.at(op);
    const std::string name = op.find("unit_scaled.") == 0 ? "unit_scaled.Conv1d" : layer.type_name();
    fmt::print("{:<18} {:>20} -> {:<20} {:>10} {:>5} {:>10.1e} {:>9.1e} {:>10.1e} {:>9.1e}\n", name,
               input.str(), output.shape().str(), layer.parameter_count(), cases, f64.output, f64.gradient,
               f32.output, f32.gradient);
    for (const auto& [worst, bar] : {std::pair{f64, 1e-12}, {f32, 1e-5}})
      all_agree_ = all_agree_ && std::max(worst.output, worst.gradient) <= bar;
  }
  bool all_agree() const { return all_agree_; }

 private:
  const std::map<std::string, Agreement>& agreements_;
  bool all_agree_ = true;
};

/// The lines of the layers over D axes.
template <int D>
void print_rank(Report& report, ek::Rng& rng) {
  const std::string rank = std::to_string(D) + "d";
  const auto shape = [](std::int64_t batch, std::int64_t channels,
                        std::initializer_list<std::int64_t> sizes) {
    ek::Shape all{batch, channels};
    for (auto size = sizes.begin(); size != sizes.begin() + D; ++size) all = all.append(*size);
    return all;
  };
  report.line("conv" + rank,
              nn::Conv<D>({.in_channels = 16, .out_channels = 33, .kernel_size = 3, .stride = 2}, rng),
              shape(20, 16, {50, 20, 10}));
  report.line(
      "conv_transpose" + rank,
      nn::ConvTranspose<D>({.in_channels = 16, .out_channels = 33, .kernel_size = 3, .stride = 2}, rng),
      shape(2, 16, {24, 9, 4}));
  report.line(
      "DepthWiseConv" + rank,
      nn::DepthWiseConv<D>({.in_channels = 16, .out_channels = 32, .kernel_size = 3, .padding = 1}, rng),
      shape(20, 16, {50, 20, 10}));
  report.line("PointwiseConv" + rank, nn::PointwiseConv<D>({.in_channels = 16, .out_channels = 33}, rng),
              shape(20, 16, {50, 20, 10}));
  report.line("batch_norm" + rank, nn::BatchNorm<D>({.num_features = 16}), shape(20, 16, {50, 20, 10}));
  report.line("instance_norm" + rank, nn::InstanceNorm<D>({.num_features = 16, .affine = true}),
              shape(20, 16, {50, 20, 10}));
  report.line("pad" + rank, nn::Pad<D, ek::PadMode::reflect>({.padding = {2}}), shape(2, 16, {50, 20, 10}));
  report.line("upsample" + rank, nn::Upsample({.scale_factor = 2}), shape(2, 16, {50, 20, 10}));
  const nn::ConvModernOptions planes{.in_planes = 16, .out_planes = 32, .stride = 2};
  report.line("ConvModern" + rank, nn::ConvModern<D>(planes, rng), shape(2, 16, {255, 16, 8}));
  report.line("BlockPlain" + rank, nn::BlockPlain<D>(planes, rng), shape(2, 16, {255, 16, 8}));
  report.line("BlockBottleneck" + rank, nn::BlockBottleneck<D>(planes, rng), shape(2, 16, {255, 16, 8}));
  const nn::UNetOptions net{.channel = 8, .layers = {2, 2, 2}};
  report.line("unet" + rank, nn::UNet<D>(net, rng), shape(2, 1, {64, 32, 16}));
  report.line("ae" + rank, nn::AE<D>(net, rng), shape(2, 1, {64, 32, 16}));
  report.line("encnet" + rank, nn::EncoderNet<D>({.channel = 8, .layers = {2, 2}}, rng),
              shape(2, 1, {64, 32, 16}));
  report.line("decnet" + rank, nn::DecoderNet<D>({.channel = 8, .layers = {2, 2}, .out_size = 16}, rng),
              {2, 2});
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Prints every reference layer beside its golden values");
  std::string folder = ek::test::kGoldenFolder;
  app.add_option("--golden", folder, "Folder of the golden files")->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);

  ek::Rng rng(1);
  print_tables(rng);
  int left_out = 0;
  const std::map<std::string, Agreement> agreements = compare_all(folder, left_out);
  Report report(agreements);
  report.line(
      "unit_scaled.conv1d",
      ek::unit_scaled::Conv1d({.in_channels = 16, .out_channels = 33, .kernel_size = 3, .stride = 2}, rng),
      {20, 16, 50});
  report.line("layer_norm", nn::LayerNorm({.normalized_shape = {50}}), {20, 16, 50});
  report.line("rms_norm", nn::RMSNorm({.normalized_shape = {50}}), {20, 16, 50});
  print_rank<1>(report, rng);
  print_rank<2>(report, rng);
  print_rank<3>(report, rng);
  fmt::print(
      "(largest difference from PyTorch over the largest value, bars 1e-12 in f64 and 1e-5 in f32; {} "
      "up-sampling\ncases are left out in which PyTorch's gradient is not that of its output)\n",
      left_out);
  try {
    nn::DepthWiseConv1d({.in_channels = 16, .out_channels = 33, .kernel_size = 3, .padding = 1}, rng);
  } catch (const ek::ConfigError& error) {
    fmt::print("The depth-wise text's own example is invalid: {}\n", error.what());
  }
  if (report.all_agree()) return 0;
  fmt::print("a layer is over the bar\n");
  return 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
