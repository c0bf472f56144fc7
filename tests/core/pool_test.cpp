#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

OpCase of(const Shape& shape, std::function<Tensor(const Tensor&)> function) {
  return {[=](const std::vector<Tensor>& t) { return function(t[0]); }, {random_tensor(shape)}};
}

const OpChecks max_pool_checks("max_pool", [] {
  return std::vector<OpCase>{
      of({2, 2, 7},
         [](const Tensor& x) { return max_pool(x, 1, {.kernel_size = 3, .stride = 2, .padding = 1}); }),
      of({1, 1, 8},
         [](const Tensor& x) { return max_pool(x, 1, {.kernel_size = 2, .stride = 3, .dilation = 2}); }),
      of({0, 2, 5}, [](const Tensor& x) { return max_pool(x, 1, {.kernel_size = 2}); }),
      of({1, 5, 5}, [](const Tensor& x) {
        return max_pool(x, 2, {.kernel_size = {2, 3}, .stride = 2, .ceil_mode = true});
      })};
});
const OpChecks max_pool1d_checks("max_pool1d", [] {
  return std::vector<OpCase>{of({2, 6}, [](const Tensor& x) { return max_pool1d(x, {.kernel_size = 2}); })};
});
const OpChecks max_pool2d_checks("max_pool2d", [] {
  return std::vector<OpCase>{
      of({1, 2, 4, 5}, [](const Tensor& x) { return max_pool2d(x, {.kernel_size = 3, .stride = 1}); })};
});
const OpChecks max_pool3d_checks("max_pool3d", [] {
  return std::vector<OpCase>{
      of({1, 1, 3, 4, 3}, [](const Tensor& x) { return max_pool3d(x, {.kernel_size = 2, .stride = 1}); })};
});
const OpChecks avg_pool_checks("avg_pool", [] {
  return std::vector<OpCase>{
      of({2, 2, 7},
         [](const Tensor& x) { return avg_pool(x, 1, {.kernel_size = 3, .stride = 2, .padding = 1}); }),
      of({1, 1, 8},
         [](const Tensor& x) {
           return avg_pool(x, 1,
                           {.kernel_size = 3, .padding = 1, .ceil_mode = true, .count_include_pad = false});
         }),
      of({2, 0, 5}, [](const Tensor& x) { return avg_pool(x, 1, {.kernel_size = 2}); })};
});
const OpChecks avg_pool1d_checks("avg_pool1d", [] {
  return std::vector<OpCase>{of({2, 6}, [](const Tensor& x) { return avg_pool1d(x, {.kernel_size = 2}); })};
});
const OpChecks avg_pool2d_checks("avg_pool2d", [] {
  return std::vector<OpCase>{of({1, 2, 4, 5}, [](const Tensor& x) {
    return avg_pool2d(x, {.kernel_size = {2, 3}});
  })};
});
const OpChecks avg_pool3d_checks("avg_pool3d", [] {
  return std::vector<OpCase>{
      of({1, 1, 3, 4, 3}, [](const Tensor& x) { return avg_pool3d(x, {.kernel_size = 2, .stride = 1}); })};
});
const OpChecks adaptive_checks("adaptive_avg_pool", [] {
  return std::vector<OpCase>{of({2, 2, 7}, [](const Tensor& x) { return adaptive_avg_pool(x, 1, 3); }),
                             of({1, 2, 3}, [](const Tensor& x) { return adaptive_avg_pool(x, 1, 5); }),
                             of({0, 2, 3}, [](const Tensor& x) { return adaptive_avg_pool(x, 1, 1); })};
});
const OpChecks adaptive1d_checks("adaptive_avg_pool1d", [] {
  return std::vector<OpCase>{of({2, 5}, [](const Tensor& x) { return adaptive_avg_pool1d(x, 2); })};
});
const OpChecks adaptive2d_checks("adaptive_avg_pool2d", [] {
  return std::vector<OpCase>{of({1, 2, 4, 5}, [](const Tensor& x) {
    return adaptive_avg_pool2d(x, {2, 3});
  })};
});
const OpChecks adaptive3d_checks("adaptive_avg_pool3d", [] {
  return std::vector<OpCase>{of({1, 1, 3, 4, 3}, [](const Tensor& x) {
    return adaptive_avg_pool3d(x, {2, 2, 1});
  })};
});

}  // namespace

BOOST_AUTO_TEST_SUITE(pool_test)

BOOST_AUTO_TEST_CASE(the_stride_is_the_kernel_unless_it_is_given) {
  const Tensor x = random_tensor({1, 1, 9});
  BOOST_TEST(max_pool1d(x, {.kernel_size = 3}).dim(2) == 3);
  BOOST_TEST(avg_pool1d(x, {.kernel_size = 3}).dim(2) == 3);
  BOOST_TEST(max_pool1d(x, {.kernel_size = 3, .stride = 1}).dim(2) == 7);
}

BOOST_AUTO_TEST_CASE(an_input_without_batch_is_pooled_like_a_batch_of_one) {
  const Tensor x = random_tensor({2, 5, 6});
  const Tensor wide = reshape(x, {1, 2, 5, 6});
  check_close(max_pool2d(x, {.kernel_size = 2}), reshape(max_pool2d(wide, {.kernel_size = 2}), {2, 2, 3}), 0);
  check_close(adaptive_avg_pool2d(x, 1), reshape(mean(x, {1, 2}), {2, 1, 1}), 1e-15);
}

BOOST_AUTO_TEST_CASE(padding_never_wins_the_maximum) {
  const Tensor y = max_pool1d(Tensor::full({1, 1, 4}, -5), {.kernel_size = 3, .stride = 1, .padding = 1});
  BOOST_TEST(y.to_vector<float>() == std::vector<float>(4, -5.f), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(averages_count_the_padding_or_not) {
  const Tensor x = Tensor::ones({1, 1, 4});
  BOOST_TEST(avg_pool1d(x, {.kernel_size = 3, .stride = 1, .padding = 1}).data<float>()[0] == 2.f / 3);
  BOOST_TEST(avg_pool1d(x, {.kernel_size = 3, .stride = 1, .padding = 1, .count_include_pad = false})
                 .data<float>()[0] == 1.f);
}

BOOST_AUTO_TEST_CASE(a_nan_wins_the_maximum) {
  Tensor x = Tensor::zeros({1, 1, 4});
  x.mutable_data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  BOOST_TEST(std::isnan(max_pool1d(x, {.kernel_size = 4}).item()));
}

BOOST_AUTO_TEST_CASE(averages_pass_the_adjoint_test) {
  Rng rng(5);
  for (const bool counted : {true, false}) {
    const auto pool = [=](const std::vector<Tensor>& t) {
      return avg_pool2d(
          t[0],
          {.kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = counted});
    };
    BOOST_TEST(adjoint_test(pool, {random_tensor({2, 3, 8, 9})}, rng) < 1e-12);
  }
  const auto adaptive = [](const std::vector<Tensor>& t) { return adaptive_avg_pool3d(t[0], {3, 2, 4}); };
  BOOST_TEST(adjoint_test(adaptive, {random_tensor({2, 3, 5, 4, 6})}, rng) < 1e-12);
}

BOOST_AUTO_TEST_CASE(invalid_options_are_refused) {
  const Tensor x = random_tensor({1, 1, 5});
  BOOST_CHECK_THROW(max_pool1d(x, {}), ConfigError);
  BOOST_CHECK_THROW(max_pool1d(x, {.kernel_size = 0}), ConfigError);
  BOOST_CHECK_THROW(max_pool1d(x, {.kernel_size = {2, 2}}), ConfigError);
  BOOST_CHECK_THROW(max_pool1d(x, {.kernel_size = 3, .padding = 2}), ConfigError);
  BOOST_CHECK_THROW(avg_pool1d(x, {.kernel_size = 3, .stride = 0}), ConfigError);
  BOOST_CHECK_THROW(max_pool(x, 4, {.kernel_size = 1}), ConfigError);
  BOOST_CHECK_THROW(adaptive_avg_pool1d(x, 0), ConfigError);
}

BOOST_AUTO_TEST_CASE(inputs_that_do_not_fit_are_refused) {
  BOOST_CHECK_THROW(max_pool1d(random_tensor({1, 1, 2}), {.kernel_size = 3}), ShapeError);
  BOOST_CHECK_THROW(max_pool1d(random_tensor({1, 1, 4}), {.kernel_size = 2, .padding = 1, .dilation = 5}),
                    ShapeError);
  BOOST_CHECK_NO_THROW(max_pool1d(random_tensor({1, 1, 5}), {.kernel_size = 2, .padding = 1, .dilation = 5}));
  BOOST_CHECK_THROW(max_pool2d(random_tensor({2, 3}), {.kernel_size = 1}), ShapeError);
  BOOST_CHECK_THROW(avg_pool1d(random_tensor({1, 1, 1, 4}), {.kernel_size = 1}), ShapeError);
  BOOST_CHECK_THROW(adaptive_avg_pool1d(random_tensor({1, 1, 0}), 1), ShapeError);
  BOOST_CHECK_THROW(max_pool1d(Tensor::zeros({1, 1, 4}, DType::i64), {.kernel_size = 2}), DTypeError);
}

BOOST_AUTO_TEST_SUITE_END()
