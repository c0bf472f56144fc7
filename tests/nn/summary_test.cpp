#include "support/check_gradients.h"

#include <evenkeel/core/error.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/conv_transpose.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/resnet.h>
#include <evenkeel/nn/summary.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::nn;

namespace {

// The four tables of the reference texts.

const char* const kConvModern1 = R"(----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
    InstanceNorm1d-1              [-1, 16, 255]              32
             PReLU-2              [-1, 16, 255]              16
            Conv1d-3              [-1, 32, 128]           1,536
      ConvModern1d-4              [-1, 32, 128]               0
================================================================
Total params: 1,584
Trainable params: 1,584
Non-trainable params: 0
----------------------------------------------------------------
Input size (MB): 0.02
Forward/backward pass size (MB): 0.12
Params size (MB): 0.01
Estimated Total Size (MB): 0.15
----------------------------------------------------------------
)";

const char* const kConvModern2 = R"(----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
    InstanceNorm1d-1              [-1, 32, 128]              64
             PReLU-2              [-1, 32, 128]              32
          Upsample-3              [-1, 32, 255]               0
            Conv1d-4              [-1, 16, 255]           1,536
      ConvModern1d-5              [-1, 16, 255]               0
================================================================
Total params: 1,632
Trainable params: 1,632
Non-trainable params: 0
----------------------------------------------------------------
Input size (MB): 0.02
Forward/backward pass size (MB): 0.19
Params size (MB): 0.01
Estimated Total Size (MB): 0.21
----------------------------------------------------------------
)";

const char* const kBottleneck1 = R"(----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
    InstanceNorm2d-1           [-1, 16, 4, 255]              32
             PReLU-2           [-1, 16, 4, 255]              16
            Conv2d-3           [-1, 16, 4, 255]             256
    InstanceNorm2d-4           [-1, 16, 4, 255]              32
             PReLU-5           [-1, 16, 4, 255]              16
            Conv2d-6           [-1, 16, 4, 128]           2,304
    InstanceNorm2d-7           [-1, 16, 4, 128]              32
             PReLU-8           [-1, 16, 4, 128]              16
            Conv2d-9           [-1, 32, 4, 128]             512
           Conv2d-10           [-1, 32, 4, 128]             512
   InstanceNorm2d-11           [-1, 32, 4, 128]              64
BlockBottleneck2d-12           [-1, 32, 4, 128]               0
================================================================
Total params: 3,792
Trainable params: 3,792
Non-trainable params: 0
----------------------------------------------------------------
Input size (MB): 0.06
Forward/backward pass size (MB): 1.31
Params size (MB): 0.01
Estimated Total Size (MB): 1.39
----------------------------------------------------------------
)";

const char* const kBottleneck2 = R"(----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
    InstanceNorm2d-1           [-1, 32, 4, 128]              64
             PReLU-2           [-1, 32, 4, 128]              32
            Conv2d-3           [-1, 32, 4, 128]           1,024
    InstanceNorm2d-4           [-1, 32, 4, 128]              64
             PReLU-5           [-1, 32, 4, 128]              32
          Upsample-6           [-1, 32, 4, 255]               0
            Conv2d-7           [-1, 32, 4, 255]           9,216
    InstanceNorm2d-8           [-1, 32, 4, 255]              64
             PReLU-9           [-1, 32, 4, 255]              32
           Conv2d-10           [-1, 16, 4, 255]             512
         Upsample-11           [-1, 32, 4, 255]               0
           Conv2d-12           [-1, 16, 4, 255]             512
   InstanceNorm2d-13           [-1, 16, 4, 255]              32
BlockBottleneck2d-14           [-1, 16, 4, 255]               0
================================================================
Total params: 11,584
Trainable params: 11,584
Non-trainable params: 0
----------------------------------------------------------------
Input size (MB): 0.06
Forward/backward pass size (MB): 2.37
Params size (MB): 0.04
Estimated Total Size (MB): 2.47
----------------------------------------------------------------
)";

/// Calls one convolution twice.
class Twice : public Module {
 public:
  explicit Twice(Rng& rng)
      : conv_(add("conv",
                  Conv1d({.in_channels = 2, .out_channels = 2, .kernel_size = 3, .padding = 1}, rng))) {}
  Tensor forward(const Tensor& x) override { return conv_(conv_(x)); }
  std::string type_name() const override { return "ANameThatIsTooLongForTheTable"; }

 private:
  Conv1d& conv_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(summary_test)

BOOST_AUTO_TEST_CASE(the_tables_of_the_reference_texts_come_out_word_for_word) {
  Rng rng(1);
  ConvModern1d down({.in_planes = 16, .out_planes = 32, .stride = 2}, rng);
  BOOST_TEST(summary(down, {16, 255}).str() == kConvModern1);
  ConvModern1d up({.in_planes = 32, .out_planes = 16, .output_size = 255, .scaler = Scaler::up}, rng);
  BOOST_TEST(summary(up, {32, 128}).str() == kConvModern2);
  BlockBottleneck2d block({.in_planes = 16, .out_planes = 32, .stride = {1, 2}}, rng);
  BOOST_TEST(summary(block, {16, 4, 255}).str() == kBottleneck1);
  BlockBottleneck2d back({.in_planes = 32, .out_planes = 16, .output_size = {4, 255}, .scaler = Scaler::up},
                         rng);
  BOOST_TEST(summary(back, {32, 4, 128}).str() == kBottleneck2);
}

BOOST_AUTO_TEST_CASE(the_numbers_are_there_as_data) {
  Rng rng(1);
  ConvModern1d layer({.in_planes = 16, .out_planes = 32, .stride = 2}, rng);
  const Summary data = summary(layer, {16, 255});
  BOOST_REQUIRE(data.rows.size() == 4u);
  BOOST_TEST(data.rows[2].name == "Conv1d-3");
  BOOST_TEST(data.rows[2].path == "mconv.2");
  BOOST_TEST(data.rows[2].output.str() == "[32, 128]");
  BOOST_TEST(data.rows[2].parameters == 32 * 16 * 3);
  BOOST_TEST(data.rows[2].multiply_adds == 32 * 128 * 16 * 3);
  BOOST_TEST(data.rows[3].multiply_adds == 0);
  BOOST_TEST(data.rows[3].path == "");
  BOOST_TEST(data.multiply_adds == 32 * 128 * 16 * 3);
  BOOST_TEST(data.parameters == 1584);
  BOOST_TEST(data.input_bytes == 4 * 16 * 255);
  BOOST_TEST(data.activation_bytes == 2 * 4 * (2 * 16 * 255 + 2 * 32 * 128));
  BOOST_TEST(data.parameter_bytes == 4 * 1584);
}

BOOST_AUTO_TEST_CASE(multiply_adds_of_every_kind_of_layer_are_counted) {
  Rng rng(1);
  Conv2d grouped({.in_channels = 4, .out_channels = 6, .kernel_size = 3, .groups = 2}, rng);
  BOOST_TEST(summary(grouped, {4, 5, 5}).multiply_adds == 6 * 9 * 2 * 9);
  ConvTranspose1d back({.in_channels = 3, .out_channels = 2, .kernel_size = 4, .stride = 2}, rng);
  BOOST_TEST(summary(back, {3, 5}).multiply_adds == 3 * 5 * 2 * 4);
  Linear linear({.in_features = 7, .out_features = 3}, rng);
  BOOST_TEST(summary(linear, {7}).multiply_adds == 21);
}

BOOST_AUTO_TEST_CASE(frozen_and_repeated_parameters_are_counted_once) {
  Rng rng(1);
  Twice net(rng);
  net.freeze();
  const Summary data = summary(net, {2, 8});
  BOOST_TEST(data.rows.size() == 3u);
  BOOST_TEST(data.rows[0].parameters == 14);
  BOOST_TEST(data.rows[1].parameters == 0);
  BOOST_TEST(data.parameters == 14);
  BOOST_TEST(data.trainable_parameters == 0);
  BOOST_TEST(data.str().find("ANameTha...heTable-3 ") != std::string::npos);
  BOOST_TEST(data.str().find("Non-trainable params: 14") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_summary_leaves_the_module_as_it_was) {
  BatchNorm1d norm({.num_features = 2, .dtype = DType::f64});
  summary(norm, {2, 4});
  for (const NamedBuffer& buffer : norm.named_buffers())
    BOOST_TEST(buffer.tensor.to(DType::f64).to_vector<double>() ==
                   std::vector<double>(static_cast<std::size_t>(buffer.tensor.numel()),
                                       buffer.name == "running_var" ? 1.0 : 0.0),
               boost::test_tools::per_element());
  BOOST_CHECK_THROW(summary(norm, {3, 4}), ShapeError);
  BOOST_TEST(summary(norm, {2, 4}).rows.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
