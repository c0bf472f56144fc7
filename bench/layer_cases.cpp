#include "layer_cases.h"

#include <evenkeel/evenkeel.h>

#include <memory>

namespace evenkeel::bench {

namespace {

using nlohmann::json;

Rng rng(1);

Axes axes(const json& entry, const char* option, Axes otherwise) {
  if (!entry.contains(option)) return otherwise;
  const auto numbers = entry[option].get<std::vector<std::int64_t>>();
  return Axes(std::span<const std::int64_t>(numbers));
}

Shape input_shape(const json& entry) { return Shape(entry["input"].get<std::vector<std::int64_t>>()); }

template <template <int> class Layer, class... Arguments>
std::unique_ptr<nn::Module> ranked(int rank, Arguments&&... arguments) {
  if (rank == 1) return std::make_unique<Layer<1>>(arguments...);
  if (rank == 2) return std::make_unique<Layer<2>>(arguments...);
  return std::make_unique<Layer<3>>(arguments...);
}

template <class Layer, class... Arguments>
std::unique_ptr<nn::Module> made(Arguments&&... arguments) {
  return std::make_unique<Layer>(std::forward<Arguments>(arguments)...);
}

std::unique_ptr<nn::Module> make_block(const std::string& kind, const json& entry) {
  const Shape shape = input_shape(entry);
  const nn::ConvModernOptions options{
      .in_planes = shape[1],
      .out_planes = entry["out"],
      .stride = axes(entry, "stride", 1),
      .scaler = entry.value("scaler", "down") == "up" ? nn::Scaler::up : nn::Scaler::down};
  const int rank = shape.rank() - 2;
  if (kind == "ConvModern") return ranked<nn::ConvModern>(rank, options, rng);
  if (kind == "BlockPlain") return ranked<nn::BlockPlain>(rank, options, rng);
  return ranked<nn::BlockBottleneck>(rank, options, rng);
}

std::unique_ptr<nn::Module> make_pool(const std::string& kind, const json& entry) {
  const int rank = input_shape(entry).rank() - 2;
  if (kind == "AdaptiveAvgPool") return made<nn::detail::AdaptiveAvgPool>(rank, Axes(1));
  if (kind == "AvgPool")
    return made<nn::detail::AvgPool>(rank, AvgPoolOptions{.kernel_size = axes(entry, "kernel", 1)});
  return made<nn::detail::MaxPool>(
      rank, MaxPoolOptions{.kernel_size = axes(entry, "kernel", 1), .stride = axes(entry, "stride", Axes())});
}

std::unique_ptr<nn::Module> make_layer(const json& entry) {
  const std::string kind = entry["layer"];
  const Shape shape = input_shape(entry);
  const int rank = shape.rank() - 2;
  const std::int64_t channels = shape.rank() > 1 ? shape[1] : 1;
  if (kind == "conv")
    return ranked<nn::Conv>(rank,
                            nn::ConvOptions{.in_channels = channels,
                                            .out_channels = entry["out"],
                                            .kernel_size = axes(entry, "kernel", 1),
                                            .stride = axes(entry, "stride", 1),
                                            .padding = axes(entry, "padding", 0),
                                            .dilation = axes(entry, "dilation", 1),
                                            .groups = entry.value("groups", 1)},
                            rng);
  if (kind == "conv_transpose")
    return ranked<nn::ConvTranspose>(rank,
                                     nn::ConvTransposeOptions{.in_channels = channels,
                                                              .out_channels = entry["out"],
                                                              .kernel_size = axes(entry, "kernel", 1),
                                                              .stride = axes(entry, "stride", 1),
                                                              .padding = axes(entry, "padding", 0)},
                                     rng);
  if (kind == "ConvModern" || kind.starts_with("Block")) return make_block(kind, entry);
  if (kind == "BatchNorm") return ranked<nn::BatchNorm>(rank, nn::BatchNormOptions{.num_features = channels});
  if (kind == "InstanceNorm")
    return ranked<nn::InstanceNorm>(rank, nn::InstanceNormOptions{.num_features = channels, .affine = true});
  if (kind == "LayerNorm") return made<nn::LayerNorm>(nn::LayerNormOptions{.normalized_shape = {channels}});
  if (kind.ends_with("Pool")) return make_pool(kind, entry);
  if (kind == "Upsample") {
    constexpr InterpolationMode kLinear[] = {InterpolationMode::linear, InterpolationMode::bilinear,
                                             InterpolationMode::trilinear};
    const bool nearest = entry["mode"] == "nearest";
    return made<nn::Upsample>(
        nn::UpsampleOptions{.scale_factor = 2,
                            .mode = nearest ? InterpolationMode::nearest : kLinear[rank - 1],
                            .align_corners = !nearest});
  }
  if (kind == "Linear")
    return made<nn::Linear>(nn::LinearOptions{.in_features = channels, .out_features = entry["out"]}, rng);
  if (kind == "PReLU") return made<nn::PReLU>(nn::PReLUOptions{.num_parameters = channels});
  if (kind == "Softmax") return made<nn::Softmax>(-1);
  if (kind == "ReLU") return made<nn::ReLU>();
  if (kind == "GELU") return made<nn::GELU>();
  if (kind == "SiLU") return made<nn::SiLU>();
  if (kind == "Tanh") return made<nn::Tanh>();
  if (kind == "Sigmoid") return made<nn::Sigmoid>();
  throw ConfigError("[bench] expected a known layer, got " + kind);
}

/// relu(x + body(x)), the block of the image net.
class Residual : public nn::Module {
 public:
  explicit Residual(nn::Sequential body) : body_(add("body", std::move(body))) {}
  Tensor forward(const Tensor& x) override { return relu(x + body_(x)); }

 private:
  nn::Sequential& body_;
};

nn::Conv2d conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return nn::Conv2d({.in_channels = in,
                     .out_channels = out,
                     .kernel_size = 3,
                     .stride = stride,
                     .padding = 1,
                     .bias = false},
                    rng);
}

Residual residual(std::int64_t channels) {
  return Residual(nn::Sequential(conv3x3(channels, channels), nn::BatchNorm2d({.num_features = channels}),
                                 nn::ReLU(), conv3x3(channels, channels),
                                 nn::BatchNorm2d({.num_features = channels})));
}

Run make_step(const json& entry) {
  const bool tiny = entry["layer"] == "tiny_net";
  std::shared_ptr<nn::Sequential> net;
  if (tiny)
    net = std::make_shared<nn::Sequential>(
        nn::Conv1d({.in_channels = 1, .out_channels = 8, .kernel_size = 3, .padding = 1}, rng), nn::ReLU(),
        nn::AdaptiveAvgPool1d(1), nn::Flatten(), nn::Linear({.in_features = 8, .out_features = 4}, rng));
  else
    net = std::make_shared<nn::Sequential>(
        conv3x3(1, 16), nn::BatchNorm2d({.num_features = 16}), nn::ReLU(), residual(16), conv3x3(16, 32, 2),
        nn::BatchNorm2d({.num_features = 32}), nn::ReLU(), residual(32), nn::AdaptiveAvgPool2d(1),
        nn::Flatten(), nn::Linear({.in_features = 32, .out_features = 10}, rng));
  const Shape shape = input_shape(entry);
  const Tensor x = Tensor::randn(shape, rng);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < shape[0]; ++i) labels.push_back(i % (tiny ? 4 : 10));
  const Tensor target = Tensor::from(labels, {shape[0]});
  auto adam = std::make_shared<optim::Adam>(net->parameters(), optim::AdamOptions{.lr = 1e-3});
  return [=] {
    cross_entropy((*net)(x), target).backward();
    adam->step();
  };
}

/// The parameters of an optimiser's case.
class Bag : public nn::Module {
 public:
  Bag(const Shape& shape, int count) {
    for (int i = 0; i < count; ++i) add_parameter("p" + std::to_string(i), Tensor::randn(shape, rng));
  }
};

Run make_optimiser(const json& entry) {
  auto bag = std::make_shared<Bag>(input_shape(entry), entry.value("count", 1));
  std::vector<Tensor> leaves, gradients;
  for (const nn::Parameter& parameter : bag->parameters()) {
    leaves.push_back(parameter);
    gradients.push_back(Tensor::randn(input_shape(entry), rng));
  }
  std::shared_ptr<optim::Optimizer> optimiser;
  if (entry["layer"] == "SGD")
    optimiser =
        std::make_shared<optim::SGD>(bag->parameters(), optim::SGDOptions{.lr = 1e-3, .momentum = 0.9});
  else
    optimiser = std::make_shared<optim::AdamW>(bag->parameters(), optim::AdamWOptions{.lr = 1e-3});
  return [=]() mutable {
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].set_grad(gradients[i]);
    optimiser->step();
  };
}

}  // namespace

Run make_run(const json& entry, const std::string& pass) {
  if (entry["group"] == "step") return make_step(entry);
  if (entry["group"] == "optimiser") return make_optimiser(entry);
  Tensor x = Tensor::randn(input_shape(entry), rng);
  std::function<Tensor(const Tensor&)> layer;
  std::vector<Tensor> leaves;
  if (entry["layer"] == "CrossEntropy") {
    Tensor target = Tensor::arange(x.dim(0), DType::i64);
    layer = [target](const Tensor& input) { return cross_entropy(input, target); };
  } else if (entry["layer"] == "MSE") {
    const Tensor target = Tensor::randn(x.shape(), rng);
    layer = [target](const Tensor& input) { return mse_loss(input, target); };
  } else {
    const std::shared_ptr<nn::Module> module = make_layer(entry);
    for (const nn::Parameter& parameter : module->parameters()) leaves.push_back(parameter);
    layer = [module](const Tensor& input) { return (*module)(input); };
  }
  if (pass == "forward")
    return [=] {
      const NoGradScope no_grad;
      layer(x);
    };
  if (pass == "train") {
    x.set_requires_grad();
    leaves.push_back(x);
    const Tensor gy = Tensor::randn(layer(x).shape(), rng);
    return [=]() mutable {
      for (Tensor& tensor : leaves) tensor.zero_grad();
      layer(x).backward(gy);
    };
  }
  for (Tensor& tensor : leaves) tensor.set_requires_grad(pass == "weight grad");
  x.set_requires_grad(pass == "input grad");
  const std::vector<Tensor> wanted = pass == "input grad" ? std::vector{x} : leaves;
  const Tensor y = layer(x), gy = Tensor::randn(y.shape(), rng);
  return [=] { grad({y}, wanted, {gy}, {.retain_graph = true}); };
}

double flops(const json& entry, const std::string& pass) {
  const std::string kind = entry["layer"];
  if (kind != "conv" && kind != "conv_transpose" && kind != "Linear") return 0;
  Rng local(1);
  const Tensor x = Tensor::zeros(input_shape(entry));
  const std::unique_ptr<nn::Module> layer = make_layer(entry);
  const Tensor y = (*layer)(x);
  const Tensor weight = layer->parameters().front();
  // Each cell of the side with a window per cell meets one output channel's weights.
  const Tensor& cells = kind == "conv_transpose" ? x : y;
  const double products =
      static_cast<double>(cells.numel()) * static_cast<double>(weight.numel() / weight.dim(0));
  return 2 * products * (pass == "train" ? 3 : 1);
}

}  // namespace evenkeel::bench
