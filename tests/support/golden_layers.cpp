#include "support/golden_layers.h"

#include <evenkeel/core/ops.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/pad.h>
#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/separable_conv.h>
#include <evenkeel/nn/unet.h>
#include <evenkeel/nn/unit_scaled/conv.h>
#include <evenkeel/nn/upsample.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace evenkeel::test {

using namespace nn;

namespace {

int rank_of(const GoldenCase& golden) { return golden.op[golden.op.size() - 2] - '0'; }
/// The op without its number of axes.
std::string kind_of(const GoldenCase& golden) { return golden.op.substr(0, golden.op.size() - 2); }

template <template <int> class Layer, class Options>
std::unique_ptr<Module> make_ranked(int rank, const Options& options) {
  Rng rng(1);
  const auto make = [&]<int D>() -> std::unique_ptr<Module> {
    if constexpr (std::is_constructible_v<Layer<D>, Options, Rng&>)
      return std::make_unique<Layer<D>>(options, rng);
    else
      return std::make_unique<Layer<D>>(options);
  };
  if (rank == 1) return make.template operator()<1>();
  if (rank == 2) return make.template operator()<2>();
  return make.template operator()<3>();
}

PadMode mode_of(const std::string& text) {
  return text == "reflect"     ? PadMode::reflect
         : text == "replicate" ? PadMode::replicate
         : text == "circular"  ? PadMode::circular
                               : PadMode::zeros;
}

ConvPadding padding_of(const nlohmann::json& value) {
  return value.is_string() ? ConvPadding(value.get<std::string>()) : ConvPadding(axes_of(value));
}

ConvOptions conv_options(const GoldenCase& golden, DType dtype) {
  const nlohmann::json& o = golden.options;
  return {.in_channels = o["in_channels"],
          .out_channels = o["out_channels"],
          .kernel_size = axes_of(o["kernel_size"]),
          .stride = axes_of(o["stride"]),
          .padding = padding_of(o["padding"]),
          .dilation = axes_of(o["dilation"]),
          .groups = o["groups"],
          .bias = o["bias"],
          .padding_mode = mode_of(o["padding_mode"]),
          .dtype = dtype};
}

/// A case of unit_scaling.h5; channels and kernel are told by the weight.
std::unique_ptr<Module> make_unit_scaled_conv(const GoldenCase& golden, DType dtype) {
  const nlohmann::json& o = golden.options;
  const Shape weight = golden.get("weight").shape();
  const std::int64_t groups = o["groups"];
  Rng rng(1);
  return std::make_unique<unit_scaled::Conv1d>(
      unit_scaled::ConvOptions{.in_channels = weight[1] * groups,
                               .out_channels = weight[0],
                               .kernel_size = weight[2],
                               .stride = axes_of(o["stride"]),
                               .padding = axes_of(o["padding"]),
                               .dilation = axes_of(o["dilation"]),
                               .groups = groups,
                               .bias = golden.has("bias"),
                               .constraint = unit_scaled::constraint_from(o["constraint"]),
                               .dtype = dtype},
      rng);
}

ConvTransposeOptions transpose_options(const GoldenCase& golden, DType dtype) {
  const nlohmann::json& o = golden.options;
  return {.in_channels = o["in_channels"],
          .out_channels = o["out_channels"],
          .kernel_size = axes_of(o["kernel_size"]),
          .stride = axes_of(o["stride"]),
          .padding = axes_of(o["padding"]),
          .output_padding = axes_of(o["output_padding"]),
          .groups = o["groups"],
          .bias = o["bias"],
          .dilation = axes_of(o["dilation"]),
          .dtype = dtype};
}

template <PadMode mode>
std::unique_ptr<Module> make_pad(int rank, const PadOptions& options) {
  if (rank == 1) return std::make_unique<Pad<1, mode>>(options);
  if (rank == 2) return std::make_unique<Pad<2, mode>>(options);
  return std::make_unique<Pad<3, mode>>(options);
}

std::unique_ptr<Module> make_pad(const GoldenCase& golden) {
  const int rank = rank_of(golden);
  const std::string mode = golden.options["mode"];
  const PadOptions options{golden.options["padding"].get<std::vector<std::int64_t>>(),
                           golden.options["value"]};
  if (mode == "reflect") return make_pad<PadMode::reflect>(rank, options);
  if (mode == "replicate") return make_pad<PadMode::replicate>(rank, options);
  if (mode == "circular") return make_pad<PadMode::circular>(rank, options);
  return make_pad<PadMode::constant>(rank, options);
}

UpsampleOptions upsample_options(const GoldenCase& golden) {
  static const std::map<std::string, InterpolationMode> modes{{"nearest", InterpolationMode::nearest},
                                                              {"linear", InterpolationMode::linear},
                                                              {"bilinear", InterpolationMode::bilinear},
                                                              {"trilinear", InterpolationMode::trilinear}};
  UpsampleOptions options{.mode = modes.at(golden.options["mode"]),
                          .align_corners = golden.options.value("align_corners", false)};
  if (golden.options.contains("size")) {
    options.size = axes_of(golden.options["size"]);
  } else {
    const auto factors = golden.options["scale_factor"].get<std::vector<double>>();
    options.scale_factor = Factors(std::span<const double>(factors));
  }
  return options;
}

ConvModernOptions options_of(const GoldenCase& golden, DType dtype) {
  static const std::map<std::string, Normalizer> normalizers{{"null", Normalizer::null},
                                                             {"batch", Normalizer::batch},
                                                             {"inst", Normalizer::inst},
                                                             {"pinst", Normalizer::pinst}};
  static const std::map<std::string, Activator> activators{
      {"prelu", Activator::prelu}, {"relu", Activator::relu}, {"null", Activator::null}};
  const nlohmann::json& o = golden.options;
  return {.in_planes = o["in_planes"],
          .out_planes = o["out_planes"],
          .kernel_size = axes_of(o["kernel_size"]),
          .stride = axes_of(o["stride"]),
          .padding = axes_of(o["padding"]),
          .output_size = axes_of(o["output_size"]),
          .normalizer = normalizers.at(o["normalizer"]),
          .activator = activators.at(o["activator"]),
          .layer_order = o["layer_order"] == "new" ? LayerOrder::new_ : LayerOrder::old,
          .scaler = o["scaler"] == "up" ? Scaler::up : Scaler::down,
          .dtype = dtype};
}

NetFamily family_of(const GoldenCase& golden) {
  const std::string family = golden.options["family"];
  return family == "conv" ? NetFamily::conv : family == "plain" ? NetFamily::plain : NetFamily::bottleneck;
}

/// A length that may be null (none).
std::int64_t length_of(const GoldenCase& golden, const char* name) {
  if (!golden.options.contains(name)) return 2;
  return golden.options[name].is_null() ? 0 : golden.options[name].get<std::int64_t>();
}

std::unique_ptr<Module> make_net(const GoldenCase& golden, DType dtype) {
  const int rank = rank_of(golden);
  const std::string kind = kind_of(golden);
  const auto layers = golden.options["layers"].get<std::vector<std::int64_t>>();
  const Axes kernel_size = axes_of(golden.options["kernel_size"]);
  const std::int64_t channel = golden.options["channel"],
                     in_planes = golden.options.value("in_planes", std::int64_t{1}),
                     out_planes = golden.options.value("out_planes", std::int64_t{1});
  const NetFamily family = family_of(golden);
  if (kind == "unet")
    return make_ranked<UNet>(rank,
                             UNetOptions{channel, layers, kernel_size, in_planes, out_planes, family, dtype});
  if (kind == "ae")
    return make_ranked<AE>(rank,
                           AEOptions{channel, layers, kernel_size, in_planes, out_planes, family, dtype});
  if (kind == "encnet")
    return make_ranked<EncoderNet>(rank, EncoderNetOptions{channel, layers, kernel_size, in_planes,
                                                           length_of(golden, "out_length"), family, dtype});
  return make_ranked<DecoderNet>(
      rank, DecoderNetOptions{channel, layers, axes_of(golden.options["out_size"]), kernel_size,
                              length_of(golden, "in_length"), out_planes, family, dtype});
}

std::unique_ptr<Module> make_norm(const GoldenCase& golden, DType dtype) {
  const nlohmann::json& o = golden.options;
  const bool affine = golden.has("weight"), tracks = golden.has("running_mean");
  if (golden.op == "rms_norm") {
    RMSNormOptions options{.normalized_shape = Shape(o["normalized_shape"].get<std::vector<std::int64_t>>()),
                           .elementwise_affine = affine,
                           .dtype = dtype};
    if (!o["eps"].is_null()) options.eps = o["eps"].get<double>();
    return std::make_unique<RMSNorm>(options);
  }
  const double eps = o["eps"];
  if (golden.op == "layer_norm")
    return std::make_unique<LayerNorm>(
        LayerNormOptions{.normalized_shape = Shape(o["normalized_shape"].get<std::vector<std::int64_t>>()),
                         .eps = eps,
                         .elementwise_affine = affine,
                         .bias = golden.has("bias"),
                         .dtype = dtype});
  const std::int64_t channels = golden.get("x").dim(1);
  const double momentum = o["momentum"];
  if (kind_of(golden) == "batch_norm")
    return make_ranked<BatchNorm>(rank_of(golden),
                                  BatchNormOptions{channels, eps, momentum, affine, tracks, dtype});
  return make_ranked<InstanceNorm>(rank_of(golden),
                                   InstanceNormOptions{channels, eps, momentum, affine, tracks, dtype});
}

std::unique_ptr<Module> make_separable(const GoldenCase& golden, DType dtype) {
  const nlohmann::json& o = golden.options;
  if (kind_of(golden) == "DepthWiseConv")
    return make_ranked<DepthWiseConv>(rank_of(golden),
                                      DepthWiseConvOptions{.in_channels = o["in_channels"],
                                                           .out_channels = o["out_channels"],
                                                           .kernel_size = axes_of(o["kernel_size"]),
                                                           .padding = axes_of(o["padding"]),
                                                           .dtype = dtype});
  return make_ranked<PointwiseConv>(rank_of(golden),
                                    PointwiseConvOptions{.in_channels = o["in_channels"],
                                                         .out_channels = o["out_channels"],
                                                         .stride = axes_of(o["stride"]),
                                                         .padding = axes_of(o["padding"]),
                                                         .bias = o["bias"],
                                                         .kernel_size = axes_of(o["kernel_size"]),
                                                         .dtype = dtype});
}

}  // namespace

std::unique_ptr<Module> make_golden_layer(const GoldenCase& golden, DType dtype) {
  const std::string kind = kind_of(golden);
  const int rank = rank_of(golden);
  if (kind == "conv" && golden.options.contains("padding_mode"))
    return make_ranked<Conv>(rank, conv_options(golden, dtype));
  if (kind == "conv" && golden.options.contains("constraint")) return make_unit_scaled_conv(golden, dtype);
  if (kind == "conv_transpose") return make_ranked<ConvTranspose>(rank, transpose_options(golden, dtype));
  if (kind == "DepthWiseConv" || kind == "PointwiseConv") return make_separable(golden, dtype);
  if (kind == "pad") return make_pad(golden);
  if (kind == "upsample") return std::make_unique<Upsample>(upsample_options(golden));
  if (kind == "batch_norm" || kind == "instance_norm" || golden.op == "layer_norm" || golden.op == "rms_norm")
    return make_norm(golden, dtype);
  if (kind == "ConvModern") return make_ranked<ConvModern>(rank, options_of(golden, dtype));
  if (kind == "BlockPlain") return make_ranked<BlockPlain>(rank, options_of(golden, dtype));
  if (kind == "BlockBottleneck") return make_ranked<BlockBottleneck>(rank, options_of(golden, dtype));
  if (kind == "unet" || kind == "ae" || kind == "encnet" || kind == "decnet") return make_net(golden, dtype);
  return nullptr;
}

double golden_difference(const Tensor& got, const Tensor& want) {
  if (!got.defined() || !want.defined() || got.shape() != want.shape())
    return std::numeric_limits<double>::infinity();
  const std::vector<double> a = got.detach().to(DType::f64).to_vector<double>();
  const std::vector<double> b = want.detach().to(DType::f64).to_vector<double>();
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    worst = std::max(worst, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
  }
  return largest > 0 ? worst / largest : worst;
}

std::vector<NamedDifference> layer_differences(const GoldenCase& golden, Module& layer, DType dtype) {
  const auto parameters = layer.named_parameters();
  const auto buffers = layer.named_buffers();
  for (const auto& [name, parameter] : parameters) {
    if (!golden.has(name)) throw std::runtime_error("the case " + golden.name + " has no parameter " + name);
    Tensor(parameter.tensor()).copy_(golden.get(name));
  }
  for (const NamedBuffer& buffer : buffers)
    if (golden.has(buffer.name)) Tensor(buffer.tensor).copy_(golden.get(buffer.name));
  layer.train(golden.options.value("training", golden.options.value("use_input_stats", true)));
  Tensor x = golden.get("x").to(dtype).clone().set_requires_grad();
  const Tensor y = layer(x);
  std::vector<NamedDifference> found;
  const auto compare = [&](const std::string& name, const Tensor& got) {
    if (golden.has(name)) found.push_back({name, golden_difference(got, golden.get(name))});
  };
  compare("y", y);
  y.backward(golden.get("gy").to(dtype));
  compare("grad_x", x.grad());
  for (const auto& [name, parameter] : parameters) compare("grad_" + name, parameter.tensor().grad());
  for (const NamedBuffer& buffer : buffers) compare(buffer.name + "_after", buffer.tensor);
  return found;
}

bool contradicts_itself(const GoldenCase& golden) {
  if (kind_of(golden) != "upsample") return false;
  const auto dot = [&](const char* a, const char* b) { return sum(golden.get(a) * golden.get(b)).item(); };
  return std::abs(dot("y", "gy") - dot("x", "grad_x")) > 1e-9;
}

std::vector<std::pair<std::string, Shape>> state_of(nn::Module& module) {
  std::vector<std::pair<std::string, Shape>> state;
  const auto parameters = module.named_parameters();
  const auto buffers = module.named_buffers();
  const auto owner = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
  for (const auto& [path, child] : module.named_modules()) {
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [name, parameter] : parameters)
      if (owner(name) == prefix) state.emplace_back(name, parameter.tensor().shape());
    for (const auto& [name, tensor, kind] : buffers)
      if (owner(name) == prefix) state.emplace_back(name, tensor.shape());
  }
  return state;
}

Axes axes_of(const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_number()) return value.get<std::int64_t>();
  const auto numbers = value.get<std::vector<std::int64_t>>();
  return Axes(std::span<const std::int64_t>(numbers));
}

}  // namespace evenkeel::test
