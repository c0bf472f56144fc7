#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/deviation.h"

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::check_unit_scale;
using test::unit_leaf;
using unit_scaled::Constraint;
using Tensors = std::vector<Tensor>;

BOOST_AUTO_TEST_SUITE(scale_test)

BOOST_AUTO_TEST_CASE(linear_keeps_unit_scale) {
  for (const std::int64_t rows : {2, 17, 64})
    for (const std::int64_t in : {1, 16, 50})
      for (const std::int64_t out : {1, 8, 100})
        check_unit_scale(
            fmt::format("linear {} rows {}->{}", rows, in, out),
            [](const Tensors& t) { return unit_scaled::linear(t[0], t[1], t[2], Constraint::none); },
            [&](Rng& rng) {
              return Tensors{unit_leaf({rows, in}, rng), unit_leaf({out, in}, rng),
                             Tensor::zeros({out}).set_requires_grad()};
            });
}

BOOST_AUTO_TEST_CASE(the_gradients_of_a_linear_readout_keep_unit_scale) {
  for (const std::int64_t rows : {2, 17, 64})
    for (const std::int64_t in : {1, 16, 50})
      for (const std::int64_t out : {1, 8, 100}) {
        const test::Deviations got =
            test::deviations_of([](const Tensors& t) { return unit_scaled::linear_readout(t[0], t[1]); },
                                [&](Rng& rng) {
                                  return Tensors{unit_leaf({rows, in}, rng), unit_leaf({out, in}, rng)};
                                });
        BOOST_TEST(std::abs(got.output * std::sqrt(static_cast<double>(in)) - 1) < 0.1);
        BOOST_TEST(std::abs(got.gradients[0] - 1) < 0.1);
        BOOST_TEST(std::abs(got.gradients[1] - 1) < 0.1);
      }
}

BOOST_AUTO_TEST_CASE(matmul_keeps_unit_scale) {
  for (const std::int64_t left : {1, 8, 60})
    for (const std::int64_t inner : {1, 16, 50})
      for (const std::int64_t right : {2, 8, 100})
        check_unit_scale(
            fmt::format("matmul {} {} {}", left, inner, right),
            [](const Tensors& t) { return unit_scaled::matmul(t[0], t[1], Constraint::none); },
            [&](Rng& rng) {
              return Tensors{unit_leaf({3, left, inner}, rng), unit_leaf({3, inner, right}, rng)};
            });
}

BOOST_AUTO_TEST_CASE(add_keeps_unit_scale) {
  const std::vector<Shape> shapes{{40, 50}, {4, 40, 50}, {50}, {40, 1}, {1, 50}};
  int cases = 0;
  for (const Shape& a : shapes)
    for (const Shape& b : shapes) {
      ++cases;
      check_unit_scale(
          "add " + a.str() + b.str(),
          [](const Tensors& t) { return unit_scaled::add(t[0], t[1], Constraint::none); },
          [&](Rng& rng) {
            return Tensors{unit_leaf(a, rng), unit_leaf(b, rng)};
          });
    }
  BOOST_TEST(cases >= 20);
}

BOOST_AUTO_TEST_CASE(residual_connections_keep_unit_scale) {
  for (int i = 0; i < 20; ++i) {
    const double tau = std::exp2((i - 10) / 3.0);
    check_unit_scale(
        fmt::format("residual tau {}", tau),
        [&](const Tensors& t) {
          const auto branch = [&](const Tensor& x) { return unit_scaled::linear(x, t[1]); };
          return unit_scaled::residual_apply(branch, t[0], tau);
        },
        [](Rng& rng) {
          return Tensors{unit_leaf({100, 40}, rng), unit_leaf({40, 40}, rng)};
        });
  }
}

BOOST_AUTO_TEST_CASE(norms_keep_unit_scale) {
  const auto ones = [](std::int64_t size) { return Tensor::ones({size}).set_requires_grad(); };
  const auto zeros = [](std::int64_t size) { return Tensor::zeros({size}).set_requires_grad(); };
  for (const std::int64_t batch : {2, 5, 16})
    for (const std::int64_t channels : {64, 96, 130})
      for (const Shape& space : {Shape{64}, Shape{100}, Shape{8, 9}}) {
        Shape shape{batch, channels};
        for (const std::int64_t size : space) shape = shape.append(size);
        const std::string what = shape.str();
        const auto by_channel = [&](Rng& rng) {
          return Tensors{unit_leaf(shape, rng), ones(channels), zeros(channels)};
        };
        check_unit_scale(
            "batch_norm " + what,
            [](const Tensors& t) { return unit_scaled::batch_norm(t[0], {}, {}, t[1], t[2]); }, by_channel);
        check_unit_scale(
            "instance_norm " + what,
            [](const Tensors& t) { return unit_scaled::instance_norm(t[0], {}, {}, t[1], t[2]); },
            by_channel);
        const std::int64_t last = shape.dim(-1) * shape.dim(-2);
        const auto by_row = [&](Rng& rng) {
          return Tensors{unit_leaf({batch, 7, last}, rng), ones(last), zeros(last)};
        };
        check_unit_scale(
            "layer_norm " + what,
            [&](const Tensors& t) { return unit_scaled::layer_norm(t[0], {last}, t[1], t[2]); }, by_row);
        check_unit_scale(
            "rms_norm " + what, [&](const Tensors& t) { return unit_scaled::rms_norm(t[0], {last}, t[1]); },
            [&](Rng& rng) {
              return Tensors{unit_leaf({batch, 7, last}, rng), ones(last)};
            });
      }
}

BOOST_AUTO_TEST_CASE(losses_start_with_unit_gradients) {
  for (const std::int64_t classes : {2, 3, 10, 50, 100})
    for (const std::int64_t rows : {1, 7, 64})
      for (const double smoothing : {0.0, 0.1})
        for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
          const unit_scaled::CrossEntropyOptions options{.label_smoothing = smoothing,
                                                         .reduction = reduction};
          Tensor labels = Tensor::zeros({rows}, DType::i64);
          // Logits are small at the start: a readout's output shrinks with its fan-in.
          const auto inputs = [&](Rng& rng) {
            for (std::int64_t i = 0; i < rows; ++i)
              labels.mutable_data<std::int64_t>()[i] = rng.below(classes);
            return Tensors{affine(Tensor::randn({rows, classes}, rng), 0.1, 0).set_requires_grad(), labels};
          };
          // All loss values start a backward pass from 1.
          const auto gradient = [&](const Tensors& t) {
            const Tensor x = t[0];
            unit_scaled::cross_entropy(x, labels, options).backward();
            Tensor result = x.grad();
            Tensor(x).zero_grad();
            return scale(x, 0, 0) + result;
          };
          Rng rng(5);
          double squares = 0, count = 0;
          for (int draw = 0; draw < 200; ++draw)
            for (const double value : gradient(inputs(rng)).detach().to(DType::f64).to_vector<double>()) {
              squares += value * value;
              ++count;
            }
          BOOST_TEST(std::abs(std::sqrt(squares / count) - 1) < 0.1,
                     "cross_entropy of " << classes << " classes, " << rows
                                         << " rows: " << std::sqrt(squares / count));
        }
  for (const std::int64_t count : {5000, 20000}) {
    Rng rng(count);
    for (int draw = 0; draw < 10; ++draw) {
      const Tensor x = unit_leaf({count}, rng), target = unit_leaf({count}, rng);
      unit_scaled::mse_loss(x, target, draw % 2 == 0 ? Reduction::mean : Reduction::sum).backward();
      for (const Tensor& gradient : {x.grad(), target.grad()}) {
        double squares = 0;
        for (const float value : gradient.to_vector<float>()) squares += value * value;
        BOOST_TEST(std::abs(std::sqrt(squares / static_cast<double>(count)) - 1) < 0.1);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(embedding_keeps_unit_scale) {
  for (const std::int64_t rows : {10, 50, 200, 500})
    for (const std::int64_t width : {1, 8, 33})
      for (const std::int64_t lookups : {300, 2000})
        check_unit_scale(
            fmt::format("embedding {} by {}, {} times", rows, width, lookups),
            [](const Tensors& t) { return unit_scaled::embedding(t[1], t[0]); },
            [&](Rng& rng) {
              Tensor indices = Tensor::zeros({lookups}, DType::i64);
              for (std::int64_t i = 0; i < lookups; ++i)
                indices.mutable_data<std::int64_t>()[i] = rng.below(rows);
              return Tensors{unit_leaf({rows, width}, rng), indices};
            });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
