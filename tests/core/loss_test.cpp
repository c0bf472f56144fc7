#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

constexpr Reduction kReductions[] = {Reduction::mean, Reduction::none, Reduction::sum};

OpCases pairs(std::function<Tensor(const Tensor&, const Tensor&, Reduction)> function,
              Tensor (*make_target)(const Shape&) = random_tensor) {
  return [=] {
    std::vector<OpCase> cases;
    for (const Reduction reduction : kReductions)
      for (const Shape& shape : {Shape{5}, Shape{2, 3}, Shape{}, Shape{0}}) {
        if (shape.numel() == 0 && reduction == Reduction::mean) continue;
        cases.push_back({[=](const std::vector<Tensor>& t) { return function(t[0], t[1], reduction); },
                         {2 * random_tensor(shape), make_target(shape)}});
      }
    return cases;
  };
}

const OpChecks mse_checks("mse_loss", pairs(mse_loss));
const OpChecks l1_checks("l1_loss", pairs(l1_loss));
const OpChecks huber_checks("huber_loss", pairs([](const Tensor& x, const Tensor& t, Reduction r) {
                              return huber_loss(x, t, 0.7, r);
                            }));
const OpChecks bce_checks("bce_with_logits", pairs([](const Tensor& x, const Tensor& t,
                                                      Reduction r) { return bce_with_logits(x, t, {}, r); },
                                                   positive));
const OpChecks weighted_bce_checks(
    "bce_with_logits",
    pairs([](const Tensor& x, const Tensor& t,
             Reduction r) { return bce_with_logits(x, t, Tensor::full({}, 1.7, DType::f64), r); },
          positive));

const OpChecks cross_entropy_checks("cross_entropy", [] {
  std::vector<OpCase> cases;
  const Tensor weight = Tensor::from({0.5, 1.5, 2.0}, {3});
  for (const Reduction reduction : kReductions)
    for (const double smoothing : {0.0, 0.2})
      for (const Tensor& weights : {Tensor(), weight}) {
        const CrossEntropyOptions options{weights, 1, smoothing, reduction};
        const auto add = [&](const Shape& shape, const Tensor& labels) {
          cases.push_back({[=](const std::vector<Tensor>& t) { return cross_entropy(t[0], labels, options); },
                           {random_tensor(shape)}});
        };
        add({4, 3}, Tensor::from<std::int64_t>({2, 0, 1, 2}, {4}));
        add({3}, Tensor::from<std::int64_t>({2}, {}));
        add({2, 3, 2}, Tensor::from<std::int64_t>({0, 2, 1, 0}, {2, 2}));
        if (reduction != Reduction::mean) add({0, 3}, Tensor::zeros({0}, DType::i64));
      }
  return cases;
});

Tensor labels(std::initializer_list<std::int64_t> values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loss_test)

BOOST_AUTO_TEST_CASE(a_label_out_of_range_is_named_with_the_number_of_classes) {
  BOOST_CHECK_EXCEPTION(cross_entropy(random_tensor({3, 10}), labels({1, 12, 2})), ValueError,
                        [](const ValueError& e) {
                          const std::string text = e.what();
                          return text.find("label 12") != text.npos && text.find("10 classes") != text.npos &&
                                 text.find("element 1") != text.npos;
                        });
  BOOST_CHECK_THROW(cross_entropy(random_tensor({1, 3}), labels({-1})), ValueError);
}

BOOST_AUTO_TEST_CASE(a_mean_over_nothing_is_an_error_and_a_sum_is_zero) {
  const Tensor none = Tensor::zeros({0}, DType::i64);
  BOOST_CHECK_THROW(cross_entropy(random_tensor({0, 3}), none), ValueError);
  BOOST_CHECK_THROW(cross_entropy(random_tensor({2, 3}), labels({-100, -100})), ValueError);
  BOOST_CHECK_THROW(mse_loss(random_tensor({0}), random_tensor({0})), ValueError);
  BOOST_TEST(cross_entropy(random_tensor({0, 3}), none, {.reduction = Reduction::sum}).item() == 0);
  BOOST_TEST(cross_entropy(random_tensor({0, 3}), none, {.reduction = Reduction::none}).numel() == 0);
}

BOOST_AUTO_TEST_CASE(losses_of_large_logits_are_finite) {
  const Tensor x = Tensor::from({1000.f, -1000.f}, {2});
  BOOST_TEST(bce_with_logits(x, Tensor::from({0.f, 1.f}, {2})).item() == 1000);
  BOOST_TEST(bce_with_logits(x, Tensor::from({1.f, 0.f}, {2})).item() == 0);
  BOOST_TEST(cross_entropy(reshape(x, {1, 2}), labels({1})).item() == 2000);
}

BOOST_AUTO_TEST_CASE(a_small_loss_keeps_its_digits) {
  const float loss = bce_with_logits(Tensor::from({20.f}, {1}), Tensor::ones({1})).data<float>()[0];
  BOOST_TEST(loss == std::log1p(std::exp(-20.f)), boost::test_tools::tolerance(1e-5f));
}

BOOST_AUTO_TEST_CASE(f32_losses_and_gradients_are_those_of_f64) {
  Rng rng(3);
  const auto check = [&](auto loss, const Shape& shape, Reduction reduction) {
    const Tensor values = 6 * Tensor::randn(shape, rng), aims = Tensor::uniform(shape, 0, 1, rng);
    std::vector<Tensor> results;
    for (const DType dtype : {DType::f32, DType::f64}) {
      Tensor x = values.to(dtype).clone(), target = aims.to(dtype).clone();
      x.set_requires_grad();
      target.set_requires_grad();
      const Tensor y = loss(x, target, reduction);
      sum(y * (reduction == Reduction::none ? aims : Tensor::ones({})).to(dtype)).backward();
      for (const Tensor& result : {y.detach(), x.grad(), target.grad()}) results.push_back(result);
    }
    for (std::size_t i = 0; i < 3; ++i)
      for (std::int64_t k = 0; k < results[i].numel(); ++k) {
        const double exact = results[i + 3].data<double>()[k];
        BOOST_REQUIRE_SMALL(double(results[i].data<float>()[k]) - exact, 1e-5 * (1 + std::abs(exact)));
      }
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{31}, Shape{3, 47}, Shape{2, 3, 700}})
    for (const Reduction reduction : kReductions) {
      check([](const auto&... a) { return mse_loss(a...); }, shape, reduction);
      check([](const auto&... a) { return l1_loss(a...); }, shape, reduction);
      check([](const auto& x, const auto& t, Reduction r) { return huber_loss(x, t, 1.5, r); }, shape,
            reduction);
      for (const double weight : {1.0, 2.5})
        check(
            [=](const auto& x, const auto& t, Reduction r) {
              return bce_with_logits(x, t, weight == 1 ? Tensor() : Tensor::full({}, weight, x.dtype()), r);
            },
            shape, reduction);
    }
}

BOOST_AUTO_TEST_CASE(nan_logits_give_nan_and_do_not_spread) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor loss =
      bce_with_logits(Tensor::from({nan, 1.f}, {2}), Tensor::from({0.f, 1.f}, {2}), {}, Reduction::none);
  BOOST_TEST(std::isnan(loss.data<float>()[0]));
  BOOST_TEST(loss.data<float>()[1] == std::log1p(std::exp(-1.f)), boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(an_ignored_label_gets_no_gradient) {
  Tensor x = random_tensor({2, 3});
  x.set_requires_grad();
  cross_entropy(x, labels({0, 7}), {.ignore_index = 7}).backward();
  for (int c = 0; c < 3; ++c) BOOST_TEST(x.grad().data<double>()[3 + c] == 0);
  BOOST_TEST(x.grad().data<double>()[0] != 0);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const Tensor x = random_tensor({2, 3});
  BOOST_CHECK_THROW(cross_entropy(x, labels({0, 1, 2})), ShapeError);
  BOOST_CHECK_THROW(cross_entropy(random_tensor({}), labels({0})), ShapeError);
  BOOST_CHECK_THROW(cross_entropy(x, random_tensor({2})), DTypeError);
  BOOST_CHECK_THROW(cross_entropy(x, labels({0, 1}), {.weight = random_tensor({2})}), ShapeError);
  BOOST_CHECK_THROW(cross_entropy(x, labels({0, 1}), {.label_smoothing = 1.5}), ConfigError);
  BOOST_CHECK_THROW(mse_loss(x, random_tensor({3})), ShapeError);
  BOOST_CHECK_THROW(l1_loss(x, Tensor::zeros({2, 3})), DTypeError);
  BOOST_CHECK_THROW(huber_loss(x, x, 0), ConfigError);
  BOOST_CHECK_THROW(bce_with_logits(x, x, random_tensor({2})), ShapeError);
}

BOOST_AUTO_TEST_CASE(labels_changed_before_the_backward_are_noticed) {
  Tensor x = random_tensor({2, 3}), truth = labels({0, 1});
  x.set_requires_grad();
  const Tensor loss = cross_entropy(x, truth);
  truth.fill_(2);
  BOOST_CHECK_THROW(loss.backward(), GradError);
}

BOOST_AUTO_TEST_SUITE_END()
