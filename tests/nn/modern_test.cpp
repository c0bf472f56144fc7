#include "support/check_gradients.h"
#include "support/layer_golden.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/modern.h>
#include <evenkeel/nn/resnet.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;
using namespace evenkeel::test;

namespace {

template <int D>
std::unique_ptr<Module> make(const std::string& kind, const ConvModernOptions& options) {
  Rng rng(1);
  if (kind == "ConvModern") return std::make_unique<ConvModern<D>>(options, rng);
  if (kind == "BlockPlain") return std::make_unique<BlockPlain<D>>(options, rng);
  return std::make_unique<BlockBottleneck<D>>(options, rng);
}

template <int D>
void check_rank() {
  std::map<std::string, int> count;
  for (const GoldenCase& golden : read_golden("mdnc_" + std::to_string(D) + "d.h5")) {
    const std::string kind = golden.op.substr(0, golden.op.size() - 2);
    check_layer(golden);
    ++count[kind];
  }
  // 9 geometries × 4 normalizers × 3 activators × 2 orders, and 2 geometries with batch norm in evaluation
  for (const char* kind : {"ConvModern", "BlockPlain", "BlockBottleneck"}) BOOST_TEST(count[kind] == 228);
}

std::string children_of(const std::string& kind, const ConvModernOptions& options) {
  std::string text;
  const std::unique_ptr<Module> layer = make<1>(kind, options);
  for (const auto& [name, module] : layer->named_modules())
    if (module->children().empty()) text += name + ":" + module->type_name() + " ";
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(modern_test)

BOOST_AUTO_TEST_CASE(all_combinations_agree_in_one_dimension) { check_rank<1>(); }
BOOST_AUTO_TEST_CASE(all_combinations_agree_in_two_dimensions) { check_rank<2>(); }
BOOST_AUTO_TEST_CASE(all_combinations_agree_in_three_dimensions) { check_rank<3>(); }

BOOST_AUTO_TEST_CASE(the_parts_stand_in_the_documented_order) {
  const ConvModernOptions base{.in_planes = 2, .out_planes = 3};
  const auto with = [&](auto change) {
    ConvModernOptions options = base;
    change(options);
    return children_of("ConvModern", options);
  };
  BOOST_TEST(with([](auto&) {}) == "mconv.0:InstanceNorm1d mconv.1:PReLU mconv.2:Conv1d ");
  BOOST_TEST(with([](auto& o) { o.layer_order = LayerOrder::old; }) ==
             "mconv.0:Conv1d mconv.1:InstanceNorm1d mconv.2:PReLU ");
  BOOST_TEST(with([](auto& o) { o.normalizer = Normalizer::null; }) == "mconv.0:Conv1d mconv.1:PReLU ");
  BOOST_TEST(with([](auto& o) { o.activator = Activator::null; }) ==
             "mconv.0:InstanceNorm1d mconv.1:Conv1d ");
  BOOST_TEST(with([](auto& o) {
               o.scaler = Scaler::up;
               o.stride = 2;
               o.activator = Activator::relu;
               o.normalizer = Normalizer::batch;
             }) == "mconv.0:BatchNorm1d mconv.1:ReLU mconv.2:Upsample mconv.3:Conv1d ");
  BOOST_TEST(children_of("BlockPlain", {.in_planes = 2, .out_planes = 2, .activator = Activator::null}) ==
             "conv1.0:InstanceNorm1d conv1.1:Conv1d conv2.0:InstanceNorm1d conv2.1:Conv1d ");
}

BOOST_AUTO_TEST_CASE(every_option_changes_the_result) {
  const Tensor x = random_tensor({2, 2, 8});
  const ConvModernOptions base{.in_planes = 2, .out_planes = 2, .dtype = DType::f64};
  for (const char* kind : {"ConvModern", "BlockPlain", "BlockBottleneck"}) {
    const auto with = [&](auto change) {
      ConvModernOptions options = base;
      change(options);
      return (*make<1>(kind, options))(x).detach();
    };
    const auto differ = [&](auto left, auto right) {
      return relative_difference(with(left), with(right)) > 1e-3;
    };
    const auto same = [](auto&) {};
    BOOST_TEST_CONTEXT(kind) {
      BOOST_TEST(differ(same, [](auto& o) { o.out_planes = 4; }));
      BOOST_TEST(differ(same, [](auto& o) {
        o.kernel_size = 5;
        o.padding = 2;
      }));
      BOOST_TEST(differ(same, [](auto& o) { o.stride = 2; }));
      BOOST_TEST(differ(
          [](auto& o) {
            o.stride = 2;
            o.kernel_size = 1;
            o.padding = 0;
          },
          [](auto& o) {
            o.stride = 3;
            o.kernel_size = 1;
            o.padding = 0;
          }));
      BOOST_TEST(differ(
          [](auto& o) {
            o.scaler = Scaler::up;
            o.stride = 2;
          },
          [](auto& o) {
            o.scaler = Scaler::up;
            o.output_size = 13;
          }));
      BOOST_TEST(differ([](auto& o) { o.stride = 2; },
                        [](auto& o) {
                          o.scaler = Scaler::up;
                          o.stride = 2;
                        }));
      BOOST_TEST(differ(same, [](auto& o) { o.normalizer = Normalizer::null; }));
      BOOST_TEST(differ(same, [](auto& o) { o.activator = Activator::relu; }));
      BOOST_TEST(differ(same, [](auto& o) { o.activator = Activator::null; }));
      BOOST_TEST(differ(same, [](auto& o) { o.layer_order = LayerOrder::old; }));
    }
  }
  const Tensor line = Tensor::zeros({1, 2, 8}, DType::f64);
  ConvModernOptions padded = base;
  padded.padding = 3;
  BOOST_TEST((*make<1>("ConvModern", padded))(line).dim(2) == 12);
  BOOST_TEST(make<1>("ConvModern", {.in_planes = 2, .out_planes = 2, .normalizer = Normalizer::inst})
                 ->named_parameters()
                 .size() == 2u);
}

BOOST_AUTO_TEST_CASE(blocks_have_second_derivatives) {
  Rng rng(3);
  BlockBottleneck1d block({.in_planes = 2,
                           .out_planes = 3,
                           .stride = 2,
                           .normalizer = Normalizer::pinst,
                           .activator = Activator::null,
                           .dtype = DType::f64},
                          rng);
  check_gradients_twice([&](const std::vector<Tensor>& t) { return block(t[0]); },
                        {random_tensor({1, 2, 5})});
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused_when_the_layer_is_made) {
  const auto refuses = [](const ConvModernOptions& options, const std::string& part) {
    for (const char* kind : {"ConvModern", "BlockPlain", "BlockBottleneck"})
      BOOST_CHECK_EXCEPTION(make<1>(kind, options), ConfigError, [&](const Error& e) {
        const std::string text = e.what();
        return text.find(part) != std::string::npos &&
               text.find(std::string(kind) + "1d") != std::string::npos;
      });
  };
  refuses({.in_planes = 0, .out_planes = 2}, "in_planes and out_planes of at least 1");
  refuses({.in_planes = 2, .out_planes = 2, .kernel_size = {3, 3}}, "kernel_size");
  refuses({.in_planes = 2, .out_planes = 2, .stride = 0}, "stride of at least 1");
  refuses({.in_planes = 2, .out_planes = 2, .padding = -1}, "padding of at least 0");
  refuses({.in_planes = 2, .out_planes = 2, .output_size = 5}, "output_size with scaler up only");
  refuses({.in_planes = 2, .out_planes = 2, .output_size = {5, 5}, .scaler = Scaler::up},
          "output_size as one number");
}

BOOST_AUTO_TEST_CASE(a_block_whose_branches_do_not_meet_says_so) {
  Rng rng(1);
  BlockBottleneck1d even({.in_planes = 1, .out_planes = 1, .kernel_size = 4, .stride = 2, .padding = 1}, rng);
  BOOST_TEST(even(Tensor::zeros({1, 1, 6})).dim(2) == 3);
  BOOST_CHECK_EXCEPTION(even(Tensor::zeros({1, 1, 7})), ShapeError, [](const Error& e) {
    return std::string(e.what()).find("[1, 1, 3] and [1, 1, 4]") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
