// The same bits at any number of threads, and from run to run: every layer, every optimiser, a whole training
// run. And what every layer keeps besides: subnormal numbers flushed, memory flat.

#include <evenkeel/evenkeel.h>

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <immintrin.h>

namespace evenkeel {
namespace {

constexpr int kThreadCounts[] = {1, 2, 3, 4, 8, 16};

/// Restores the number of threads.
struct ThreadsScope {
  int before = num_threads();
  ~ThreadsScope() { set_num_threads(before); }
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.impl_ptr()->storage->data, b.impl_ptr()->storage->data,
                     static_cast<std::size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

using MakeLayer = std::function<std::unique_ptr<nn::Module>(Rng&)>;

template <class Layer, class... Options>
MakeLayer layer(Options... options) {
  return [=](Rng&) { return std::make_unique<Layer>(options...); };
}

template <class Layer, class Options>
MakeLayer random_layer(const Options& options) {
  return [=](Rng& rng) { return std::make_unique<Layer>(options, rng); };
}

struct Case {
  std::string name;
  MakeLayer make;
  Shape input;
};

/// Sizes that are cut into many pieces, with odd ends.
std::vector<Case> cases() {
  using namespace nn;
  const Shape signal{5, 12, 1111}, image{5, 12, 37, 41}, volume{3, 6, 11, 13, 17};
  const auto conv = [](std::int64_t in, std::int64_t out, int groups, Axes stride) {
    return ConvOptions{.in_channels = in,
                       .out_channels = out,
                       .kernel_size = 3,
                       .stride = stride,
                       .padding = 1,
                       .groups = groups};
  };
  const auto transpose = [](std::int64_t in) {
    return ConvTransposeOptions{
        .in_channels = in, .out_channels = 10, .kernel_size = 4, .stride = 2, .padding = 1};
  };
  const auto block = [](std::int64_t in, Scaler scaler) {
    return ConvModernOptions{.in_planes = in, .out_planes = 18, .stride = 2, .scaler = scaler};
  };
  return {
      {"Conv1d", random_layer<Conv1d>(conv(12, 20, 1, 1)), signal},
      {"Conv1d strided", random_layer<Conv1d>(conv(12, 20, 1, 2)), signal},
      {"Conv1d grouped", random_layer<Conv1d>(conv(12, 24, 4, 1)), signal},
      {"Conv1d depthwise", random_layer<Conv1d>(conv(12, 12, 12, 1)), signal},
      {"Conv1d pointwise",
       random_layer<PointwiseConv1d>(PointwiseConvOptions{.in_channels = 12, .out_channels = 70}), signal},
      {"Conv1d one channel", random_layer<Conv1d>(conv(1, 33, 1, 1)), {3, 1, 5003}},
      {"Conv2d", random_layer<Conv2d>(conv(12, 20, 1, 1)), image},
      {"Conv2d strided", random_layer<Conv2d>(conv(12, 20, 1, {2, 1})), image},
      {"Conv2d depthwise", random_layer<Conv2d>(conv(12, 12, 12, 1)), image},
      {"Conv3d", random_layer<Conv3d>(conv(6, 10, 1, 1)), volume},
      {"ConvTranspose1d", random_layer<ConvTranspose1d>(transpose(12)), signal},
      {"ConvTranspose2d", random_layer<ConvTranspose2d>(transpose(12)), image},
      {"ConvTranspose3d", random_layer<ConvTranspose3d>(transpose(6)), volume},
      {"Linear", random_layer<Linear>(LinearOptions{.in_features = 257, .out_features = 131}), {303, 257}},
      {"BatchNorm1d", layer<BatchNorm1d>(BatchNormOptions{.num_features = 12}), signal},
      {"BatchNorm2d", layer<BatchNorm2d>(BatchNormOptions{.num_features = 12}), image},
      {"BatchNorm3d", layer<BatchNorm3d>(BatchNormOptions{.num_features = 6}), volume},
      {"InstanceNorm1d", layer<InstanceNorm1d>(InstanceNormOptions{.num_features = 12, .affine = true}),
       signal},
      {"InstanceNorm2d", layer<InstanceNorm2d>(InstanceNormOptions{.num_features = 12, .affine = true}),
       image},
      {"InstanceNorm3d", layer<InstanceNorm3d>(InstanceNormOptions{.num_features = 6, .affine = true}),
       volume},
      {"LayerNorm", layer<LayerNorm>(LayerNormOptions{.normalized_shape = {99}}), {1031, 99}},
      {"RMSNorm", layer<RMSNorm>(RMSNormOptions{.normalized_shape = {99}}), {1031, 99}},
      {"ReLU", layer<ReLU>(), signal},
      {"PReLU", layer<PReLU>(PReLUOptions{.num_parameters = 12}), signal},
      {"GELU", layer<GELU>(), signal},
      {"SiLU", layer<SiLU>(), signal},
      {"Sigmoid", layer<Sigmoid>(), signal},
      {"Tanh", layer<Tanh>(), signal},
      {"Softmax", layer<Softmax>(-1), {1031, 99}},
      {"LogSoftmax", layer<LogSoftmax>(1), image},
      {"MaxPool1d", layer<MaxPool1d>(MaxPoolOptions{.kernel_size = 3, .stride = 2}), signal},
      {"MaxPool2d", layer<MaxPool2d>(MaxPoolOptions{.kernel_size = 3, .stride = 2}), image},
      {"MaxPool3d", layer<MaxPool3d>(MaxPoolOptions{.kernel_size = 3, .stride = 2}), volume},
      {"AvgPool1d", layer<AvgPool1d>(AvgPoolOptions{.kernel_size = 3}), signal},
      {"AvgPool2d", layer<AvgPool2d>(AvgPoolOptions{.kernel_size = 3}), image},
      {"AvgPool3d", layer<AvgPool3d>(AvgPoolOptions{.kernel_size = 3}), volume},
      {"AdaptiveAvgPool2d", layer<AdaptiveAvgPool2d>(Axes(5)), image},
      {"Upsample linear",
       layer<Upsample>(
           UpsampleOptions{.scale_factor = 2, .mode = InterpolationMode::linear, .align_corners = true}),
       signal},
      {"Upsample bilinear",
       layer<Upsample>(
           UpsampleOptions{.scale_factor = 2, .mode = InterpolationMode::bilinear, .align_corners = true}),
       image},
      {"Upsample trilinear",
       layer<Upsample>(
           UpsampleOptions{.scale_factor = 2, .mode = InterpolationMode::trilinear, .align_corners = true}),
       volume},
      {"Upsample nearest", layer<Upsample>(UpsampleOptions{.scale_factor = 2}), image},
      {"Flatten", layer<Flatten>(), image},
      {"ConvModern1d", random_layer<ConvModern1d>(block(12, Scaler::down)), signal},
      {"ConvModern2d", random_layer<ConvModern2d>(block(12, Scaler::down)), image},
      {"ConvModern3d", random_layer<ConvModern3d>(block(6, Scaler::down)), volume},
      {"ConvModern2d up", random_layer<ConvModern2d>(block(12, Scaler::up)), image},
      {"BlockPlain1d", random_layer<BlockPlain1d>(block(12, Scaler::down)), signal},
      {"BlockPlain2d", random_layer<BlockPlain2d>(block(12, Scaler::down)), image},
      {"BlockPlain3d", random_layer<BlockPlain3d>(block(6, Scaler::down)), volume},
      {"BlockBottleneck1d", random_layer<BlockBottleneck1d>(block(12, Scaler::down)), signal},
      {"BlockBottleneck2d", random_layer<BlockBottleneck2d>(block(12, Scaler::down)), image},
      {"BlockBottleneck3d", random_layer<BlockBottleneck3d>(block(6, Scaler::down)), volume},
      {"BlockBottleneck1d up", random_layer<BlockBottleneck1d>(block(12, Scaler::up)), signal},
  };
}

/// Output, input gradient, parameter gradients and buffers of one forward and backward from fixed seeds.
std::vector<Tensor> results(const Case& item) {
  Rng rng(3);
  const std::unique_ptr<nn::Module> module = item.make(rng);
  Tensor x = Tensor::randn(item.input, rng).set_requires_grad();
  const Tensor y = (*module)(x);
  y.backward(Tensor::randn(y.shape(), rng));
  std::vector<Tensor> all{y, x.grad()};
  for (const nn::Parameter& parameter : module->parameters()) all.push_back(parameter.tensor().grad());
  for (const nn::NamedBuffer& buffer : module->named_buffers()) all.push_back(buffer.tensor);
  return all;
}

nn::Sequential small_net(Rng& rng) {
  using namespace nn;
  return Sequential(Conv1d({.in_channels = 1, .out_channels = 12, .kernel_size = 5, .padding = 2}, rng),
                    BatchNorm1d({.num_features = 12}), ReLU(),
                    BlockBottleneck1d({.in_planes = 12, .out_planes = 16, .stride = 2}, rng), GELU(),
                    Dropout({.p = 0.2}, rng), AdaptiveAvgPool1d(1), Flatten(),
                    Linear({.in_features = 16, .out_features = 5}, rng));
}

using MakeOptimiser = std::function<std::unique_ptr<optim::Optimizer>(const std::vector<nn::Parameter>&)>;

/// Parameters and buffers after 50 steps.
std::vector<Tensor> trained(const MakeOptimiser& make) {
  Rng rng(11);
  nn::Sequential net = small_net(rng);
  const auto optimiser = make(net.parameters());
  for (int step = 0; step < 50; ++step) {
    const Tensor x = Tensor::randn({16, 1, 257}, rng);
    std::vector<std::int64_t> labels;
    for (int i = 0; i < 16; ++i) labels.push_back(rng.below(5));
    cross_entropy(net(x), Tensor::from(labels, {16})).backward();
    optim::clip_grad_norm_(net.parameters(), 1.0);
    optimiser->step();
  }
  std::vector<Tensor> all;
  for (const nn::Parameter& parameter : net.parameters()) all.push_back(parameter);
  for (const nn::NamedBuffer& buffer : net.named_buffers()) all.push_back(buffer.tensor);
  return all;
}

void check_same(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                const std::string& what) {
  BOOST_REQUIRE_EQUAL(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    BOOST_TEST(same_bits(got[i], expected[i]), what << ", tensor " << i << " " << got[i].shape().str());
}

BOOST_AUTO_TEST_SUITE(threads_test)

BOOST_AUTO_TEST_CASE(every_layer_gives_the_same_bits_at_any_thread_count) {
  const ThreadsScope restore;
  for (const Case& item : cases()) {
    set_num_threads(1);
    const std::vector<Tensor> expected = results(item);
    for (const int threads : kThreadCounts) {
      set_num_threads(threads);
      check_same(results(item), expected, item.name + " at " + std::to_string(threads) + " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(fifty_steps_with_every_optimiser_give_the_same_bits_at_any_thread_count) {
  const ThreadsScope restore;
  using Parameters = const std::vector<nn::Parameter>&;
  const std::map<std::string, MakeOptimiser> optimisers{
      {"SGD",
       [](Parameters p) {
         return std::make_unique<optim::SGD>(p, optim::SGDOptions{.lr = 0.05, .momentum = 0.9});
       }},
      {"Adam", [](Parameters p) { return std::make_unique<optim::Adam>(p, optim::AdamOptions{.lr = 1e-2}); }},
      {"AdamW",
       [](Parameters p) {
         return std::make_unique<optim::AdamW>(p, optim::AdamWOptions{.lr = 1e-2, .amsgrad = true});
       }},
  };
  for (const auto& [name, make] : optimisers) {
    set_num_threads(1);
    const std::vector<Tensor> expected = trained(make);
    for (const int threads : kThreadCounts) {
      set_num_threads(threads);
      check_same(trained(make), expected, name + " at " + std::to_string(threads) + " threads");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_different_seed_gives_different_bits) {
  Rng one(1), two(2);
  BOOST_TEST(!same_bits(Tensor::randn({100}, one), Tensor::randn({100}, two)));
}

/// Whether a forward and backward of the layer, at inputs and gradients around the smallest normal number,
/// meets a subnormal one: the processor notes it in its control register.
bool meets_subnormals(const Case& item) {
  constexpr unsigned kNotes = 0x3f, kSubnormalOperand = 2;
  Rng rng(3);
  const std::unique_ptr<nn::Module> module = item.make(rng);
  const auto small = [&](const Shape& shape) {
    Tensor t = Tensor::randn(shape, rng);
    float* data = t.mutable_data<float>();
    for (std::int64_t i = 0; i < t.numel(); ++i) data[i] *= 1e-38f;
    return t;
  };
  const Tensor x = small(item.input).set_requires_grad();
  const Tensor gy = small((*module)(x).shape());
  _mm_setcsr(_mm_getcsr() & ~kNotes);
  (*module)(x).backward(gy);
  const bool met = (_mm_getcsr() & kSubnormalOperand) != 0;
  _mm_setcsr(_mm_getcsr() & ~kNotes);
  return met;
}

/// Subnormal operands cost a hundredfold in time; so none may reach an operation.
BOOST_AUTO_TEST_CASE(no_layer_computes_with_subnormal_numbers_while_they_are_flushed) {
  const ThreadsScope restore;
  set_num_threads(1);
  int layers = 0, without_flushing = 0;
  for (const Case& item : cases()) {
    ++layers;
    BOOST_TEST(!meets_subnormals(item), item.name);
    set_flush_denormals(false);
    without_flushing += meets_subnormals(item);
    set_flush_denormals(true);
  }
  BOOST_TEST(without_flushing > layers * 3 / 4, without_flushing << " of " << layers);
}

/// Resident bytes of this process.
std::size_t resident() {
  std::size_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * 4096;
}

BOOST_AUTO_TEST_CASE(a_thousand_random_lengths_leave_the_memory_flat) {
  Rng rng(9);
  nn::ConvModern1d layer({.in_planes = 4, .out_planes = 8, .stride = 2}, rng);
  const auto train_some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const Tensor x = Tensor::randn({4, 4, 100 + rng.below(4000)}, rng);
      mean(layer(x)).backward();
      layer.zero_grad();
    }
  };
  train_some(200);
  const std::size_t before = resident();
  train_some(1000);
  BOOST_TEST(resident() <= before + before / 20 + (std::size_t{4} << 20),
             "grew from " << before << " to " << resident());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
