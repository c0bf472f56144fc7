#include <evenkeel/analysis/summary.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/activation.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;

namespace {

nn::Sequential make_net() {
  Rng rng(1);
  return nn::Sequential(nn::Linear({.in_features = 30, .out_features = 40}, rng),
                        nn::Sequential(nn::BatchNorm1d({.num_features = 40}), nn::ReLU()));
}

/// Calls its only layer twice.
struct Twice : nn::Module {
  explicit Twice(Rng& rng) : layer(add("layer", nn::Linear({.in_features = 2, .out_features = 2}, rng))) {}
  Tensor forward(const Tensor& x) override { return layer(layer(x)); }
  nn::Linear& layer;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(summary_test)

BOOST_AUTO_TEST_CASE(every_layer_has_its_path_type_output_and_parameters) {
  auto net = make_net();
  BOOST_TEST(analysis::summary(net, Tensor::zeros({5, 30})) ==
             "layer  type         output   parameters\n"
             "───────────────────────────────────────\n"
             "0      Linear       [5, 40]       1,240\n"
             "1.0    BatchNorm1d  [5, 40]          80\n"
             "1.1    ReLU         [5, 40]\n"
             "───────────────────────────────────────\n"
             "total                             1,320\n");
}

BOOST_AUTO_TEST_CASE(a_layer_that_is_called_twice_has_one_row) {
  Rng rng(1);
  Twice net(rng);
  const std::string text = analysis::summary(net, Tensor::zeros({1, 2}));
  BOOST_TEST(text.find("Linear") == text.rfind("Linear"));
}

BOOST_AUTO_TEST_CASE(the_model_stays_as_it_was) {
  auto net = make_net();
  net.child("1").eval();
  Rng rng(2);
  analysis::summary(net, Tensor::randn({5, 30}, rng));
  BOOST_TEST(net.is_training());
  BOOST_TEST(net.child("0").is_training());
  BOOST_TEST(!net.child("1.0").is_training());
  for (const auto& buffer : net.named_buffers())
    if (buffer.name == "1.0.running_mean")
      BOOST_TEST(buffer.tensor.to_vector<float>() == std::vector<float>(40));
}

BOOST_AUTO_TEST_SUITE_END()
