#include "support/check_gradients.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace evenkeel::test {

namespace {

/// Totals of this program, printed when it ends.
struct Totals {
  std::int64_t checks = 0, entries = 0, faults_planted = 0, faults_caught = 0;
  double worst = 0;
  ~Totals() {
    if (checks + faults_planted == 0) return;
    std::printf(
        "gradient checks: %lld, Jacobian entries: %lld, worst relative error: %.1e, faults caught: %lld of "
        "%lld\n",
        static_cast<long long>(checks), static_cast<long long>(entries), worst,
        static_cast<long long>(faults_caught), static_cast<long long>(faults_planted));
  }
};

Totals& totals() {
  static Totals instance;
  return instance;
}

}  // namespace

void check_gradients(const TensorFunction& function, const std::vector<Tensor>& inputs,
                     const GradcheckOptions& options) {
  const GradcheckReport report = gradcheck(function, inputs, options);
  BOOST_TEST(report.passed, report.worst);
  ++totals().checks;
  totals().entries += report.entries;
  totals().worst = std::max(totals().worst, report.worst_error);
}

void check_gradients_twice(const TensorFunction& function, const std::vector<Tensor>& inputs) {
  check_gradients(function, inputs, {.second_order = true});
}

void check_fault_is_caught(const TensorFunction& function, const std::vector<Tensor>& inputs,
                           const GradcheckOptions& options) {
  const bool caught = !gradcheck(function, inputs, options).passed;
  BOOST_TEST(caught, "a planted fault was not caught");
  ++totals().faults_planted;
  totals().faults_caught += caught;
}

Tensor random_tensor(const Shape& shape) {
  static Rng rng(7);
  return Tensor::randn(shape, rng, DType::f64);
}

double relative_difference(const Tensor& got, const Tensor& expected) {
  if (got.shape() != expected.shape()) return std::numeric_limits<double>::infinity();
  const std::vector<double> a = got.detach().to(DType::f64).to_vector<double>();
  const std::vector<double> b = expected.detach().to(DType::f64).to_vector<double>();
  double largest = 1e-300, worst = 0;
  for (const double value : b)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(a[i] - b[i]) / std::max(largest, std::abs(a[i])));
  }
  return worst;
}

void check_close(const Tensor& got, const Tensor& expected, double tolerance, const std::string& what) {
  BOOST_TEST(got.shape().str() == expected.shape().str(), what);
  BOOST_TEST(relative_difference(got, expected) <= tolerance,
             what << ": relative difference " << relative_difference(got, expected) << ", got " << got.str()
                  << ", expected " << expected.str());
}

}  // namespace evenkeel::test
