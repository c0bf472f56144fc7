#include "support/check_gradients.h"

#include <evenkeel/nn/loss.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using evenkeel::test::check_close;
using evenkeel::test::random_tensor;

BOOST_AUTO_TEST_SUITE(loss_objects_test)

BOOST_AUTO_TEST_CASE(each_object_passes_its_options_to_its_function) {
  const Tensor x = random_tensor({3, 4}), y = random_tensor({3, 4}),
               weight = Tensor::full({4}, 2, DType::f64);
  const Tensor labels = Tensor::from<std::int64_t>({0, 3, 1}, {3});
  const CrossEntropyOptions options{.weight = weight, .label_smoothing = 0.1, .reduction = Reduction::sum};
  check_close(nn::CrossEntropyLoss{options}(x, labels), cross_entropy(x, labels, options), 0);
  check_close(nn::MSELoss{Reduction::none}(x, y), mse_loss(x, y, Reduction::none), 0);
  check_close(nn::L1Loss{Reduction::sum}(x, y), l1_loss(x, y, Reduction::sum), 0);
  check_close(nn::HuberLoss{.delta = 0.3}(x, y), huber_loss(x, y, 0.3), 0);
  check_close(nn::BCEWithLogitsLoss{.pos_weight = weight}(x, y), bce_with_logits(x, y, weight), 0);
}

BOOST_AUTO_TEST_SUITE_END()
