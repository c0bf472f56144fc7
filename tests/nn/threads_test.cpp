// The same bits at any number of threads, and from run to run, of every layer.

#include "support/declared.h"
#include "support/layer_cases.h"
#include "support/same_bits.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/conv_winograd.h>
#include <evenkeel/core/kernels/gemm_packed.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/random.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/linear.h>
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <map>
#include <set>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// Classes that are no layers of their own.
const std::set<std::string> kBases{
    "Hourglass1d",       "Hourglass2d",
    "Hourglass3d",                                        // of UNet and AE
    "ResidualBlock",     "unit_scaled::ResidualBlock",    // of the blocks
    "unit_scaled::Conv", "unit_scaled::ConvTranspose",    // of Conv1d and others
    "ModuleList",        "unit_scaled::DepthModuleList",  // compute nothing
};

/// Output in training and evaluation, input gradient, parameter gradients and buffers, from fixed seeds.
std::vector<Tensor> results(const LayerCase& one, DType dtype, const Tensor& input, const Tensor& gradient) {
  Rng rng(3);
  const std::unique_ptr<nn::Module> module = one.make(rng);
  module->to(dtype);
  Tensor x = input.detach();
  if (is_floating(x.dtype())) x.set_requires_grad();
  const Tensor y = (*module)(x);
  y.backward(gradient);
  std::vector<Tensor> all{y};
  if (is_floating(x.dtype())) all.push_back(x.grad());
  for (const nn::Parameter& parameter : module->parameters()) all.push_back(parameter.tensor().grad());
  for (const nn::NamedBuffer& buffer : module->named_buffers()) all.push_back(buffer.tensor);
  module->eval();
  const NoGradScope no_grad;
  all.push_back((*module)(x));
  return all;
}

void check_layers(const std::vector<LayerCase>& cases, DType dtype,
                  std::initializer_list<int> thread_counts) {
  for (const LayerCase& one : cases) {
    Rng rng(3);
    Tensor input = random_input(one, rng);
    if (is_floating(input.dtype())) input = input.to(dtype);
    const std::unique_ptr<nn::Module> module = one.make(rng);
    module->to(dtype);
    const Tensor gradient = Tensor::randn((*module)(input).shape(), rng, dtype);
    check_same_at_any_thread_count(
        one.name, [&] { return results(one, dtype, input, gradient); }, thread_counts);
  }
}

/// Of a convolution without padding at the end, groups and all.
kernels::ConvGeometry geometry_of(const nn::ConvOptions& options, int rank, const Shape& x) {
  kernels::ConvGeometry g{.rank = rank,
                          .batch = x[0],
                          .in_channels = options.in_channels,
                          .out_channels = options.out_channels,
                          .groups = options.groups};
  for (int axis = 0; axis < rank; ++axis) {
    g.in[axis] = x[2 + axis];
    g.kernel[axis] = options.kernel_size[axis];
    g.stride[axis] = options.stride[axis];
    g.dilation[axis] = options.dilation[axis];
    g.padding[axis] = options.padding.axes()[axis];
    g.out[axis] =
        (g.in[axis] + 2 * g.padding[axis] - g.dilation[axis] * (g.kernel[axis] - 1) - 1) / g.stride[axis] + 1;
  }
  return g;
}

/// Which of the paths that only some sizes take are taken by the layer.
std::vector<std::string> paths_of(nn::Module& module, const Shape& x) {
  std::vector<std::string> paths;
  const auto add = [&]<int D>() {
    const auto* conv = dynamic_cast<nn::Conv<D>*>(&module);
    if (conv == nullptr) return;
    const kernels::ConvGeometry g = geometry_of(conv->options(), D, x);
    const bool winograd = kernels::conv_winograd_pays(g), pointwise = kernels::conv_pointwise_pays(g);
    const bool weights = kernels::conv_pointwise_weight_grad_pays(g);
    const bool input = kernels::conv_pointwise_input_grad_pays(g);
    if (winograd)
      paths.push_back(kernels::winograd_form(g) == kernels::WinogradForm::squares ? "winograd squares"
                                                                                  : "winograd rows");
    if (kernels::conv_winograd_weight_grad_pays(g) &&
        kernels::winograd_weight_grad_form(g) == kernels::WinogradForm::squares)
      paths.push_back("winograd squares to weights");
    if (pointwise) paths.push_back("pointwise");
    if (weights) paths.push_back("pointwise weights");
    if (input && g.in != g.out) paths.push_back("strided pointwise");
    if (!input && kernels::conv_columns_input_grad_pays(g)) paths.push_back("columns to input");
    if (!kernels::conv_winograd_weight_grad_pays(g) && !weights && kernels::conv_columns_weight_grad_pays(g))
      paths.push_back("columns to weights");
  };
  add.operator()<1>();
  add.operator()<2>();
  add.operator()<3>();
  if (const auto* linear = dynamic_cast<nn::Linear*>(&module)) {
    const Shape weight = linear->weight().tensor().shape();
    if (kernels::gemm_packed_pays(true, x[0], weight[0], weight[1])) paths.push_back("packed product");
  }
  return paths;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(threads_test)

BOOST_AUTO_TEST_CASE(every_layer_has_a_case) {
  std::set<std::string> covered;
  for (const LayerCase& one : layer_cases()) {
    Rng rng(1);
    covered.insert(class_name(*one.make(rng)));
  }
  const std::set<std::string> declared = declared_classes("nn");
  BOOST_TEST(declared.contains("unit_scaled::GELU"), "the declarations were not found");
  for (const std::string& name : declared)
    BOOST_TEST(covered.contains(name) != kBases.contains(name),
               name << " in nn/ has no case: add one in tests/support/layer_cases.cpp or beside it");
  for (const std::string& name : covered) BOOST_TEST(declared.contains(name), name << " is not declared");
  std::printf("%zu classes of layers in %zu cases; left out:", covered.size(), layer_cases().size());
  for (const std::string& name : kBases) std::printf(" %s", name.c_str());
  std::printf("\n");
}

BOOST_AUTO_TEST_CASE(the_cases_take_the_paths_that_few_sizes_take) {
  if (!kernels::kWidePaths) {
    BOOST_TEST_MESSAGE("skipped: the processor has no vectors of 64 bytes, which most of these paths need");
    return;
  }
  std::map<std::string, int> taken{
      {"winograd rows", 0},    {"winograd squares", 0},   {"winograd squares to weights", 0},
      {"pointwise", 0},        {"strided pointwise", 0},  {"pointwise weights", 0},
      {"columns to input", 0}, {"columns to weights", 0}, {"packed product", 0}};
  for (const LayerCase& one : layer_cases()) {
    Rng rng(1);
    for (const std::string& path : paths_of(*one.make(rng), one.input)) ++taken[path];
  }
  for (const auto& [path, cases] : taken) BOOST_TEST(cases > 0, path << " is taken by no case");
}

BOOST_AUTO_TEST_CASE(every_layer_gives_the_same_bits_at_any_thread_count) {
  check_layers(layer_cases(), DType::f32, {1, 2, 3, 4, 8, 16});
}

BOOST_AUTO_TEST_CASE(every_layer_gives_the_same_bits_in_f64_too) {
  std::vector<LayerCase> cases = layer_cases();
  // Those are made of the ops of the others.
  std::erase_if(cases, [](const LayerCase& one) { return one.name.starts_with("unit_scaled::"); });
  check_layers(cases, DType::f64, {16});
}

BOOST_AUTO_TEST_CASE(a_different_seed_gives_different_bits) {
  Rng one(1), two(2);
  BOOST_TEST(!same_bits(Tensor::randn({100}, one), Tensor::randn({100}, two)));
}

BOOST_AUTO_TEST_SUITE_END()
