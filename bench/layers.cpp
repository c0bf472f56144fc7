#include "layers.h"

#include <evenkeel/evenkeel.h>

#include <map>
#include <string>

namespace evenkeel::bench {

namespace {

using nlohmann::json;

Axes axes(const json& entry, const char* option, Axes otherwise) {
  if (!entry.contains(option)) return otherwise;
  const auto numbers = entry[option].get<std::vector<std::int64_t>>();
  return Axes(std::span<const std::int64_t>(numbers));
}

int spatial_rank(const json& entry) { return input_shape(entry).rank() - 2; }
std::int64_t channels(const json& entry) { return input_shape(entry)[1]; }
std::int64_t features(const json& entry) { return entry["input"].back(); }

template <template <int> class Layer, class... Arguments>
std::unique_ptr<nn::Module> ranked(const json& entry, Arguments&&... arguments) {
  const int rank = spatial_rank(entry);
  if (rank == 1) return std::make_unique<Layer<1>>(arguments...);
  if (rank == 2) return std::make_unique<Layer<2>>(arguments...);
  return std::make_unique<Layer<3>>(arguments...);
}

std::unique_ptr<nn::Module> make_conv(const json& entry) {
  return ranked<nn::Conv>(entry,
                          nn::ConvOptions{.in_channels = channels(entry),
                                          .out_channels = entry["out"],
                                          .kernel_size = axes(entry, "kernel", 1),
                                          .stride = axes(entry, "stride", 1),
                                          .padding = axes(entry, "padding", 0),
                                          .dilation = axes(entry, "dilation", 1),
                                          .groups = entry.value("groups", 1)},
                          rng());
}

std::unique_ptr<nn::Module> make_conv_transpose(const json& entry) {
  return ranked<nn::ConvTranspose>(entry,
                                   nn::ConvTransposeOptions{.in_channels = channels(entry),
                                                            .out_channels = entry["out"],
                                                            .kernel_size = axes(entry, "kernel", 1),
                                                            .stride = axes(entry, "stride", 1),
                                                            .padding = axes(entry, "padding", 0),
                                                            .groups = entry.value("groups", 1),
                                                            .dilation = axes(entry, "dilation", 1)},
                                   rng());
}

template <template <int> class Block>
std::unique_ptr<nn::Module> make_block(const json& entry) {
  const bool up = entry.value("scaler", "down") == "up";
  return ranked<Block>(entry,
                       nn::ConvModernOptions{.in_planes = channels(entry),
                                             .out_planes = entry["out"],
                                             .stride = axes(entry, "stride", 1),
                                             .scaler = up ? nn::Scaler::up : nn::Scaler::down},
                       rng());
}

std::unique_ptr<nn::Module> make_upsample(const json& entry) {
  constexpr InterpolationMode kLinear[] = {InterpolationMode::linear, InterpolationMode::bilinear,
                                           InterpolationMode::trilinear};
  const bool nearest = entry["mode"] == "nearest";
  return std::make_unique<nn::Upsample>(
      nn::UpsampleOptions{.scale_factor = 2,
                          .mode = nearest ? InterpolationMode::nearest : kLinear[spatial_rank(entry) - 1],
                          .align_corners = !nearest});
}

using Loss = Tensor (*)(const Tensor& x, const Tensor& target);

std::unique_ptr<nn::Module> make_loss(const json& entry, Loss loss) {
  const Tensor target = Tensor::uniform(input_shape(entry), 0, 1, rng());
  return std::make_unique<Function>([=](const Tensor& x) { return loss(x, target); });
}

std::unique_ptr<nn::Module> make_cross_entropy(const json& entry) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < input_shape(entry)[0]; ++i) labels.push_back(i % channels(entry));
  const Tensor target = Tensor::from(labels, {input_shape(entry)[0]});
  return std::make_unique<Function>([=](const Tensor& x) { return cross_entropy(x, target); });
}

/// What the graph costs: ops so small that their work is nothing beside it.
std::unique_ptr<nn::Module> make_chain(const json&) {
  return std::make_unique<Function>([](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < 500; ++i) y = relu(y * 1.001);
    return y;
  });
}

template <class Layer>
std::unique_ptr<nn::Module> plain(const json&) {
  return std::make_unique<Layer>();
}

using Maker = std::function<std::unique_ptr<nn::Module>(const json&)>;

const std::map<std::string, Maker> kMakers{
    {"conv", make_conv},
    {"conv_transpose", make_conv_transpose},
    {"ConvModern", make_block<nn::ConvModern>},
    {"BlockPlain", make_block<nn::BlockPlain>},
    {"BlockBottleneck", make_block<nn::BlockBottleneck>},
    {"BatchNorm",
     [](const json& e) {
       return ranked<nn::BatchNorm>(e, nn::BatchNormOptions{.num_features = channels(e)});
     }},
    {"InstanceNorm",
     [](const json& e) {
       return ranked<nn::InstanceNorm>(e,
                                       nn::InstanceNormOptions{.num_features = channels(e), .affine = true});
     }},
    {"LayerNorm",
     [](const json& e) {
       return std::make_unique<nn::LayerNorm>(nn::LayerNormOptions{.normalized_shape = {features(e)}});
     }},
    {"RMSNorm",
     [](const json& e) {
       return std::make_unique<nn::RMSNorm>(nn::RMSNormOptions{.normalized_shape = {features(e)}});
     }},
    {"ReLU", plain<nn::ReLU>},
    {"GELU", plain<nn::GELU>},
    {"SiLU", plain<nn::SiLU>},
    {"Sigmoid", plain<nn::Sigmoid>},
    {"Tanh", plain<nn::Tanh>},
    {"PReLU",
     [](const json& e) {
       return std::make_unique<nn::PReLU>(nn::PReLUOptions{.num_parameters = channels(e)});
     }},
    {"Softmax", [](const json&) { return std::make_unique<nn::Softmax>(-1); }},
    {"LogSoftmax", [](const json&) { return std::make_unique<nn::LogSoftmax>(-1); }},
    {"MaxPool",
     [](const json& e) {
       return ranked<nn::MaxPool>(e, MaxPoolOptions{.kernel_size = axes(e, "kernel", 1),
                                                    .stride = axes(e, "stride", Axes()),
                                                    .padding = axes(e, "padding", 0),
                                                    .dilation = axes(e, "dilation", 1)});
     }},
    {"AvgPool",
     [](const json& e) {
       return ranked<nn::AvgPool>(e, AvgPoolOptions{.kernel_size = axes(e, "kernel", 1),
                                                    .stride = axes(e, "stride", Axes()),
                                                    .padding = axes(e, "padding", 0)});
     }},
    {"AdaptiveAvgPool", [](const json& e) { return ranked<nn::AdaptiveAvgPool>(e, Axes(1)); }},
    {"Upsample", make_upsample},
    {"Linear",
     [](const json& e) {
       return std::make_unique<nn::Linear>(
           nn::LinearOptions{.in_features = features(e), .out_features = e["out"]}, rng());
     }},
    {"CrossEntropy", make_cross_entropy},
    {"MSE", [](const json& e) { return make_loss(e, [](auto& x, auto& t) { return mse_loss(x, t); }); }},
    {"L1", [](const json& e) { return make_loss(e, [](auto& x, auto& t) { return l1_loss(x, t); }); }},
    {"Huber", [](const json& e) { return make_loss(e, [](auto& x, auto& t) { return huber_loss(x, t); }); }},
    {"BCEWithLogits",
     [](const json& e) { return make_loss(e, [](auto& x, auto& t) { return bce_with_logits(x, t); }); }},
    {"Chain", make_chain},
};

}  // namespace

Rng& rng() {
  static Rng instance(1);
  return instance;
}

Shape input_shape(const json& entry) { return Shape(entry["input"].get<std::vector<std::int64_t>>()); }

bool has_layer(const std::string& name) { return kMakers.contains(name); }

std::unique_ptr<nn::Module> make_layer(const json& entry) try {
  return kMakers.at(entry["layer"])(entry);
} catch (const json::exception& error) {
  throw ConfigError("[bench] expected a case with all options, got " + entry.dump() + ": " + error.what());
}

}  // namespace evenkeel::bench
