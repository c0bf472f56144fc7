#include <evenkeel/core/autograd.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace evenkeel;

namespace {

/// An op on a batch of none, as wide as the paths for large layers ask for.
struct Layer {
  std::string name;
  std::function<Tensor(const std::vector<Tensor>&)> run;
  Shape x;
  std::vector<Shape> weights = {};
};

using Tensors = std::vector<Tensor>;

Tensor convolved(const Tensors& t) { return conv(t[0], t[1], t[2]); }

const Layer kLayers[] = {
    {"conv 1x1", convolved, {0, 64, 8, 8}, {{96, 64, 1, 1}, {96}}},
    {"conv 1x1 s2",
     [](const Tensors& t) { return conv(t[0], t[1], {}, {.stride = 2}); },
     {0, 64, 9, 9},
     {{96, 64, 1, 1}}},
    {"conv 3", convolved, {0, 64, 100}, {{64, 64, 3}, {64}}},
    {"conv 3x3", convolved, {0, 64, 32, 32}, {{64, 64, 3, 3}, {64}}},
    {"conv 3x3x3 s2",
     [](const Tensors& t) { return conv(t[0], t[1], {}, {.stride = 2, .padding = 1}); },
     {0, 32, 8, 8, 8},
     {{48, 32, 3, 3, 3}}},
    {"conv of the whole plane", convolved, {0, 64, 7, 7}, {{128, 64, 7, 7}, {128}}},
    {"depthwise conv",
     [](const Tensors& t) { return conv(t[0], t[1], {}, {.padding = 1, .groups = 64}); },
     {0, 64, 20, 20},
     {{64, 1, 3, 3}}},
    {"conv_transpose 1x1",
     [](const Tensors& t) { return conv_transpose(t[0], t[1], t[2]); },
     {0, 64, 8, 8},
     {{64, 96, 1, 1}, {96}}},
    {"conv_transpose 4x4 s2",
     [](const Tensors& t) { return conv_transpose(t[0], t[1], {}, {.stride = 2, .padding = 1}); },
     {0, 64, 8, 8},
     {{64, 48, 4, 4}}},
    {"linear", [](const Tensors& t) { return linear(t[0], t[1], t[2]); }, {0, 600}, {{700, 600}, {700}}},
    {"matmul", [](const Tensors& t) { return matmul(t[0], t[1]); }, {0, 300}, {{300, 400}}},
    {"batched matmul", [](const Tensors& t) { return matmul(t[0], t[1]); }, {0, 70, 300}, {{300, 400}}},
    {"softmax", [](const Tensors& t) { return softmax(t[0], 1); }, {0, 1000}},
    {"log_softmax over channels", [](const Tensors& t) { return log_softmax(t[0], 1); }, {0, 40, 32, 32}},
    {"batch_norm",
     [](const Tensors& t) {
       return batch_norm(t[0], Tensor::zeros({64}), Tensor::ones({64}), t[1], t[2], {.training = false});
     },
     {0, 64, 32, 32},
     {{64}, {64}}},
    {"instance_norm",
     [](const Tensors& t) { return instance_norm(t[0], {}, {}, t[1], t[2]); },
     {0, 64, 32, 32},
     {{64}, {64}}},
    {"layer_norm",
     [](const Tensors& t) { return layer_norm(t[0], {768}, t[1], t[2]); },
     {0, 50, 768},
     {{768}, {768}}},
    {"rms_norm", [](const Tensors& t) { return rms_norm(t[0], {768}, t[1]); }, {0, 50, 768}, {{768}}},
    {"max_pool", [](const Tensors& t) { return max_pool2d(t[0], {.kernel_size = 2}); }, {0, 64, 32, 32}},
    {"avg_pool", [](const Tensors& t) { return avg_pool2d(t[0], {.kernel_size = 3}); }, {0, 64, 32, 32}},
    {"adaptive_avg_pool", [](const Tensors& t) { return adaptive_avg_pool2d(t[0], 1); }, {0, 512, 7, 7}},
    {"interpolate nearest",
     [](const Tensors& t) { return interpolate(t[0], {.scale_factor = 2}); },
     {0, 64, 16, 16}},
    {"interpolate bilinear",
     [](const Tensors& t) {
       return interpolate(t[0], {.scale_factor = 2, .mode = InterpolationMode::bilinear});
     },
     {0, 64, 16, 16}},
    {"pad",
     [](const Tensors& t) {
       return pad(t[0], {1, 1, 2, 2}, PadMode::reflect);
     },
     {0, 64, 16, 16}},
    {"prelu", [](const Tensors& t) { return prelu(t[0], t[1]); }, {0, 64, 32, 32}, {{64}}},
    {"gelu", [](const Tensors& t) { return gelu(t[0]); }, {0, 4096}},
    {"sum over the batch", [](const Tensors& t) { return sum(t[0], std::vector<int>{0}); }, {0, 64, 1000}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(empty_batch_test)

BOOST_AUTO_TEST_CASE(wide_layers_give_nothing_and_gradients_of_zero) {
  for (const Layer& layer : kLayers) BOOST_TEST_CONTEXT(layer.name) {
      Tensors inputs{Tensor::zeros(layer.x)};
      for (const Shape& shape : layer.weights) inputs.push_back(Tensor::ones(shape));
      for (Tensor& input : inputs) input.set_requires_grad(true);
      const Tensor y = layer.run(inputs);
      sum(y).backward();
      BOOST_TEST(inputs[0].grad().shape().str() == layer.x.str());
      for (std::size_t i = 1; i < inputs.size(); ++i)
        for (const float value : inputs[i].grad().to_vector<float>()) BOOST_REQUIRE_EQUAL(value, 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
