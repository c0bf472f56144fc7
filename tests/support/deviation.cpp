#include "support/deviation.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

namespace evenkeel::test {

namespace {

struct Moments {
  double count = 0, sum = 0, squares = 0;

  void add(const Tensor& x) {
    for (const double value : x.detach().to(DType::f64).to_vector<double>()) {
      ++count;
      sum += value;
      squares += value * value;
    }
  }
  double deviation() const { return std::sqrt(std::max(0.0, squares / count - sum * sum / (count * count))); }
};

}  // namespace

Tensor unit_leaf(const Shape& shape, Rng& rng) { return Tensor::randn(shape, rng).set_requires_grad(); }

Deviations deviations_of(const TensorFunction& function,
                         const std::function<std::vector<Tensor>(Rng&)>& inputs) {
  constexpr int kMostDraws = 2000;
  constexpr double kEnough = 2500;
  static Rng rng(11);
  Moments of_output;
  std::vector<Moments> of_gradients;
  double least = 0;
  for (int draw = 0; draw < kMostDraws && (draw < 3 || least < kEnough); ++draw) {
    const std::vector<Tensor> leaves = inputs(rng);
    const Tensor out = function(leaves);
    out.backward(Tensor::randn(out.shape(), rng, out.dtype()));
    of_output.add(out);
    least = of_output.count;
    std::size_t slot = 0;
    for (const Tensor& leaf : leaves) {
      if (!leaf.requires_grad()) continue;
      if (slot == of_gradients.size()) of_gradients.emplace_back();
      of_gradients[slot].add(leaf.grad());
      least = std::min(least, of_gradients[slot++].count);
    }
  }
  Deviations result{of_output.deviation(), {}};
  for (const Moments& moments : of_gradients) result.gradients.push_back(moments.deviation());
  return result;
}

void check_unit_scale(const std::string& what, const TensorFunction& function,
                      const std::function<std::vector<Tensor>(Rng&)>& inputs) {
  const Deviations got = deviations_of(function, inputs);
  BOOST_TEST(std::abs(got.output - 1) < 0.1, what << ": output deviation " << got.output);
  for (std::size_t i = 0; i < got.gradients.size(); ++i)
    BOOST_TEST(std::abs(got.gradients[i] - 1) < 0.1,
               what << ": gradient " << i << " has the deviation " << got.gradients[i]);
}

}  // namespace evenkeel::test
