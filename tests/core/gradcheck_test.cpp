#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/gradcheck.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// a·b whose gradients depend on what is wanted, as a wrong implementation's might.
Tensor moody_product(const Tensor& a, const Tensor& b) {
  return record("moody", {a, b}, (a * b).detach(),
                [a = a.detach(), b = b.detach()](const Tensor& gy, Grads& grads) {
                  const bool both = grads.wants(0) && grads.wants(1);
                  if (grads.wants(0)) grads.add(0, gy * b * (both ? 1.0 : 2.0));
                  if (grads.wants(1)) grads.add(1, gy * a);
                });
}

/// 2x whose backward overwrites what was already there.
Tensor forgetful_double(const Tensor& x) {
  return record("forgetful", {x}, (x * 2.0).detach(), [](const Tensor& gy, Grads& grads) {
    auto [gx, beta] = grads.into(0);
    gx.fill_(0);
    detail::accumulate(gx, gy * 2.0);
  });
}

/// x³ whose second derivative is wrong.
Tensor cube(const Tensor& x) {
  return record("cube", {x}, (x * x * x).detach(), [saved = Saved(x)](const Tensor& gy, Grads& grads) {
    const Tensor value = saved.get(grads);
    grads.add(0, gy * 3.0 * value * value.detach());
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gradcheck_test)

BOOST_AUTO_TEST_CASE(a_right_gradient_passes_with_every_entry_compared) {
  const auto product = [](const std::vector<Tensor>& t) { return t[0] * t[1]; };
  const GradcheckReport report = gradcheck(product, {random_tensor({3}), random_tensor({3})});
  BOOST_TEST(report.passed);
  BOOST_TEST(report.entries >= 2 * 9);
  BOOST_TEST(report.worst_error < 1e-6);
}

BOOST_AUTO_TEST_CASE(the_report_names_the_worst_entry) {
  const auto wrong = [](const std::vector<Tensor>& t) {
    return record("wrong", {t[0]}, (t[0] * 2.0).detach(),
                  [](const Tensor& gy, Grads& grads) { grads.add(0, gy * 3.0); });
  };
  const GradcheckReport report = gradcheck(wrong, {random_tensor({2})});
  BOOST_TEST(!report.passed);
  BOOST_TEST(report.worst.find("input 0") != std::string::npos, report.worst);
  BOOST_TEST(report.worst.find("backward 3") != std::string::npos, report.worst);
  BOOST_TEST(report.worst.find("expected ") != std::string::npos, report.worst);
}

BOOST_AUTO_TEST_CASE(a_gradient_that_depends_on_what_is_wanted_is_caught) {
  check_fault_is_caught([](const std::vector<Tensor>& t) { return moody_product(t[0], t[1]); },
                        {random_tensor({3}), random_tensor({3})});
}

BOOST_AUTO_TEST_CASE(a_backward_that_overwrites_instead_of_adding_is_caught) {
  check_fault_is_caught([](const std::vector<Tensor>& t) { return forgetful_double(t[0]); },
                        {random_tensor({3})});
}

BOOST_AUTO_TEST_CASE(a_wrong_second_derivative_is_caught_only_in_second_order) {
  const auto function = [](const std::vector<Tensor>& t) { return cube(t[0]); };
  check_gradients(function, {random_tensor({3})});
  check_fault_is_caught(function, {random_tensor({3})}, {.second_order = true});
}

BOOST_AUTO_TEST_CASE(a_missing_gradient_is_caught) {
  check_fault_is_caught([](const std::vector<Tensor>& t) { return t[0] * t[1].detach(); },
                        {random_tensor({3}), random_tensor({3})});
}

BOOST_AUTO_TEST_CASE(only_inputs_that_require_a_gradient_are_varied_if_any_does) {
  const auto function = [](const std::vector<Tensor>& t) { return t[0] * t[1].detach(); };
  const Tensor varied = random_tensor({3}).set_requires_grad();
  BOOST_TEST(gradcheck(function, {varied, random_tensor({3})}).passed);
}

BOOST_AUTO_TEST_CASE(f32_and_too_few_factors_are_refused) {
  const auto same = [](const std::vector<Tensor>& t) { return t[0] * 1.0; };
  BOOST_CHECK_THROW(gradcheck(same, {Tensor::ones({2})}), DTypeError);
  BOOST_CHECK_THROW(gradcheck(same, {random_tensor({2})}, {.factors = {1, 1}}), ConfigError);
}

BOOST_AUTO_TEST_CASE(the_inputs_are_left_as_they_were) {
  const Tensor x = random_tensor({4});
  const std::vector<double> before = x.to_vector<double>();
  gradcheck([](const std::vector<Tensor>& t) { return exp(t[0]); }, {x});
  BOOST_TEST(x.to_vector<double>() == before, boost::test_tools::per_element());
  BOOST_TEST(!x.grad().defined());
}

BOOST_AUTO_TEST_CASE(the_adjoint_test_tells_right_from_wrong) {
  Rng rng(2);
  const auto right = [](const std::vector<Tensor>& t) { return sum(t[0] * 3.0, 1); };
  const auto wrong = [](const std::vector<Tensor>& t) {
    return record("wrong", {t[0]}, (t[0] * 2.0).detach(),
                  [](const Tensor& gy, Grads& grads) { grads.add(0, gy * 2.001); });
  };
  BOOST_TEST(adjoint_test(right, {random_tensor({5, 7})}, rng) < 1e-14);
  BOOST_TEST(adjoint_test(wrong, {random_tensor({5, 7})}, rng) > 1e-6);
}

BOOST_AUTO_TEST_SUITE_END()
