#include <evenkeel/core/ops.h>
#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/check_gradients.h"
#include "support/deviation.h"

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::check_unit_scale;
using test::unit_leaf;
using unit_scaled::Constraint;
using Tensors = std::vector<Tensor>;

Tensors one_input(Rng& rng) { return {unit_leaf({8, 16, 40}, rng)}; }

BOOST_AUTO_TEST_SUITE(elementwise_scale_test)

BOOST_AUTO_TEST_CASE(activations_keep_unit_scale) {
  for (int i = 0; i < 21; ++i) {
    const double mult = std::exp2((i - 10) / 2.0), slope = (i - 10) / 10.0;
    const std::string what = fmt::format(" mult {}", mult);
    check_unit_scale(
        "gelu" + what, [&](const Tensors& t) { return unit_scaled::gelu(t[0], mult, Constraint::none); },
        one_input);
    check_unit_scale(
        "gelu tanh" + what,
        [&](const Tensors& t) {
          return unit_scaled::gelu(t[0], mult, Constraint::none, GeluApproximation::tanh);
        },
        one_input);
    check_unit_scale(
        "silu" + what, [&](const Tensors& t) { return unit_scaled::silu(t[0], mult, Constraint::none); },
        one_input);
    check_unit_scale(
        fmt::format("relu {}", i), [](const Tensors& t) { return unit_scaled::relu(t[0], Constraint::none); },
        [&](Rng& rng) {
          return Tensors{unit_leaf({i + 1, 700}, rng)};
        });
    check_unit_scale(
        fmt::format("prelu slope {}", slope),
        [&](const Tensors& t) { return unit_scaled::prelu(t[0], t[1], slope, Constraint::none); },
        [&](Rng& rng) {
          return Tensors{unit_leaf({8, 64, 40}, rng), Tensor::full({64}, slope).set_requires_grad()};
        });
  }
}

BOOST_AUTO_TEST_CASE(a_gated_unit_keeps_unit_scale) {
  for (int i = 0; i < 20; ++i) {
    const double mult = std::exp2((i - 10) / 3.0);
    check_unit_scale(
        fmt::format("silu_glu mult {}", mult),
        [&](const Tensors& t) { return unit_scaled::silu_glu(t[0], t[1], mult); },
        [](Rng& rng) {
          return Tensors{unit_leaf({80, 90}, rng), unit_leaf({80, 90}, rng)};
        });
  }
}

BOOST_AUTO_TEST_CASE(dropout_keeps_unit_scale) {
  for (int i = 0; i < 20; ++i) {
    const double p = i / 22.0;
    Rng mask(3);
    check_unit_scale(
        fmt::format("dropout {}", p), [&](const Tensors& t) { return unit_scaled::dropout(t[0], p, &mask); },
        one_input);
  }
}

/// The published model of softmax is rough.
BOOST_AUTO_TEST_CASE(softmax_stays_within_a_factor_of_ten) {
  for (const std::int64_t size : {2, 4, 16, 64, 256})
    for (const double mult : {0.25, 0.5, 1.0, 2.0, 4.0}) {
      const test::Deviations got = test::deviations_of(
          [&](const Tensors& t) { return unit_scaled::softmax(t[0], -1, mult, Constraint::none); },
          [&](Rng& rng) {
            return Tensors{unit_leaf({4000 / size, size}, rng)};
          });
      for (const double deviation : {got.output, got.gradients[0]})
        BOOST_TEST((deviation > 0.1 && deviation < 10),
                   "softmax of " << size << " mult " << mult << ": " << deviation);
    }
}

Shape volume(int rank, std::int64_t batch, std::int64_t channels, std::int64_t length) {
  Shape shape{batch, channels};
  for (int axis = 0; axis < rank; ++axis) shape = shape.append(length);
  return shape;
}

BOOST_AUTO_TEST_CASE(pooling_keeps_unit_scale) {
  for (const int rank : {1, 2, 3})
    for (const std::int64_t kernel : {2, 3, 4})
      for (const std::int64_t stride : {std::int64_t{1}, std::int64_t{2}, kernel}) {
        const std::int64_t length = rank == 1 ? 120 : rank == 2 ? 60 : 36;
        const auto inputs = [&](Rng& rng) { return Tensors{unit_leaf(volume(rank, 2, 2, length), rng)}; };
        const std::string what = fmt::format(" {}d k{} s{}", rank, kernel, stride);
        // Without padding the cells at the border are in fewer windows, and a 3-d input is mostly border.
        if (rank == 3 && stride < kernel && kernel > 2) continue;
        check_unit_scale(
            "avg_pool" + what,
            [&](const Tensors& t) {
              return unit_scaled::avg_pool(t[0], rank, {.kernel_size = kernel, .stride = stride},
                                           Constraint::none);
            },
            inputs);
        check_unit_scale(
            "max_pool" + what,
            [&](const Tensors& t) {
              return unit_scaled::max_pool(t[0], rank, {.kernel_size = kernel, .stride = stride},
                                           Constraint::none);
            },
            inputs);
      }
}

BOOST_AUTO_TEST_CASE(adaptive_pooling_keeps_unit_scale) {
  for (const int rank : {1, 2, 3})
    for (const std::int64_t size : {1, 2, 4, 6, 12, 24, 48}) {
      if (rank == 3 && size > 24) continue;
      const std::int64_t length = rank == 3 ? 24 : 48;
      check_unit_scale(
          fmt::format("adaptive_avg_pool {}d to {}", rank, size),
          [&](const Tensors& t) {
            return unit_scaled::adaptive_avg_pool(t[0], rank, size, Constraint::none);
          },
          [&](Rng& rng) { return Tensors{unit_leaf(volume(rank, 8, rank == 1 ? 32 : 4, length), rng)}; });
    }
}

BOOST_AUTO_TEST_CASE(up_sampling_keeps_unit_scale) {
  int cases = 0;
  for (const int rank : {1, 2, 3})
    for (const double factor : {1.0, 1.5, 2.0, 3.0})
      for (const bool linear : {false, true})
        for (const bool corners : {false, true}) {
          if (corners && !linear) continue;
          ++cases;
          const InterpolateParameters parameters{
              .scale_factor = factor,
              .mode = linear ? static_cast<InterpolationMode>(rank) : InterpolationMode::nearest,
              .align_corners = corners};
          const std::int64_t length = rank == 1 ? 60 : rank == 2 ? 30 : 12;
          check_unit_scale(
              fmt::format("interpolate {}d by {} {} {}", rank, factor, linear, corners),
              [&](const Tensors& t) { return unit_scaled::interpolate(t[0], parameters, Constraint::none); },
              [&](Rng& rng) { return Tensors{unit_leaf(volume(rank, 4, 4, length), rng)}; });
        }
  BOOST_TEST(cases >= 20);
}

/// Behind an activation that is tied to its gradient's scale, so that its mean square is 1.
BOOST_AUTO_TEST_CASE(up_sampling_keeps_the_mean_square_behind_an_activation) {
  int cases = 0;
  for (const int rank : {1, 2, 3})
    for (const double factor : {1.5, 2.0, 3.0})
      for (const double slope : {0.0, 0.25, 0.5}) {
        ++cases;
        const InterpolateParameters parameters{
            .scale_factor = factor, .mode = static_cast<InterpolationMode>(rank), .align_corners = true};
        Rng rng(3);
        const Tensor x = unit_leaf(volume(rank, 8, 32, rank == 1 ? 60 : rank == 2 ? 30 : 12), rng);
        const Tensor y = unit_scaled::interpolate(
            unit_scaled::prelu(x, Tensor::full({1}, slope), slope, Constraint::to_grad_input_scale),
            parameters, Constraint::none, unit_scaled::mean_share_behind_prelu(slope));
        const double root_mean_square = std::sqrt(mean(y * y).item());
        BOOST_TEST(std::abs(root_mean_square - 1) < 0.1,
                   rank << "d by " << factor << ", slope " << slope << ": " << root_mean_square);
      }
  BOOST_TEST(cases >= 20);
}

/// Its value is not scaled.
BOOST_AUTO_TEST_CASE(a_global_mean_keeps_the_gradient_s_unit_scale) {
  int cases = 0;
  for (const int rank : {1, 2, 3})
    for (const std::int64_t channels : {2, 7, 32})
      for (const std::int64_t length : {1, 3, 8}) {
        ++cases;
        Rng rng(3);
        const Tensor x = unit_leaf(volume(rank, 6, channels, length), rng);
        const Tensor y = unit_scaled::global_mean(x);
        test::check_close(y.detach(), mean(flatten(x, 2), 2).detach(), 1e-6);
        y.backward(Tensor::ones(y.shape()));
        test::check_close(x.grad(), Tensor::ones(x.shape()), 1e-6);
      }
  BOOST_TEST(cases >= 20);
  BOOST_CHECK_THROW(unit_scaled::global_mean(Tensor::ones({2, 3})), ShapeError);
}

BOOST_AUTO_TEST_CASE(the_deviation_of_a_maximum_is_right) {
  BOOST_TEST(unit_scaled::deviation_of_maximum(1) == 1, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(unit_scaled::deviation_of_maximum(2) == std::sqrt(1 - 1 / 3.14159265358979323846),
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(unit_scaled::deviation_of_maximum(3) == 0.74797549, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
