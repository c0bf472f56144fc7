#include <evenkeel/nn/unit_scaled/functional.h>

#include "support/deviation.h"

#include <fmt/format.h>
#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::unit_leaf;
using unit_scaled::Constraint;

struct Case {
  int rank;
  std::int64_t in, out, kernel, stride, padding, dilation, groups;
  PadMode mode = PadMode::zeros;

  std::int64_t length() const { return rank == 1 ? 120 : rank == 2 ? 36 : 18; }
  std::int64_t batch() const { return rank == 1 ? 8 : rank == 2 ? 4 : 2; }
  std::string str() const {
    return fmt::format("{}d {}->{} k{} s{} p{} d{} g{} {}", rank, in, out, kernel, stride, padding, dilation,
                       groups, name(mode));
  }
  /// (first, second, kernel…)
  Shape with_kernel(std::int64_t first, std::int64_t second) const { return with(first, second, kernel); }
  Shape x() const { return with(batch(), in, length()); }

 private:
  Shape with(std::int64_t first, std::int64_t second, std::int64_t each) const {
    Shape shape{first, second};
    for (int axis = 0; axis < rank; ++axis) shape = shape.append(each);
    return shape;
  }
};

const std::vector<Case> kCases = {
    {1, 8, 8, 1, 1, 0, 1, 1},
    {1, 8, 16, 3, 1, 0, 1, 1},
    {1, 16, 8, 3, 1, 1, 1, 1},
    {1, 8, 8, 5, 1, 2, 1, 1},
    {1, 8, 8, 4, 2, 1, 1, 1},
    {1, 8, 8, 3, 3, 0, 1, 1},
    {1, 8, 8, 6, 3, 0, 1, 1},
    {1, 8, 12, 3, 1, 2, 2, 2},
    {1, 12, 12, 5, 1, 4, 2, 3},
    {1, 8, 8, 7, 1, 3, 1, 8},
    {1, 8, 16, 5, 2, 2, 1, 8},
    {1, 8, 8, 5, 1, 2, 1, 1, PadMode::reflect},
    {1, 8, 8, 5, 2, 2, 1, 2, PadMode::circular},
    {1, 8, 8, 7, 1, 3, 1, 8, PadMode::replicate},
    {2, 8, 8, 1, 1, 0, 1, 1},
    {2, 8, 8, 3, 1, 1, 1, 1},
    {2, 8, 16, 3, 2, 1, 1, 1},
    {2, 8, 4, 2, 2, 0, 1, 1},
    {2, 8, 8, 3, 1, 2, 2, 2},
    {2, 8, 8, 3, 1, 1, 1, 8},
    {2, 8, 16, 3, 2, 1, 1, 8},
    {2, 8, 8, 3, 1, 1, 1, 1, PadMode::reflect},
    {2, 8, 8, 5, 1, 2, 1, 4, PadMode::circular},
    {3, 4, 4, 1, 1, 0, 1, 1},
    {3, 4, 8, 3, 1, 1, 1, 1},
    {3, 4, 4, 2, 2, 0, 1, 1},
    {3, 4, 4, 3, 1, 1, 1, 4},
    {3, 4, 8, 3, 1, 1, 1, 2, PadMode::circular},
};

BOOST_AUTO_TEST_SUITE(conv_scale_test)

BOOST_AUTO_TEST_CASE(conv_keeps_unit_scale) {
  BOOST_TEST(kCases.size() >= 20);
  for (const Case& c : kCases) {
    const ConvParameters parameters{
        .stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups};
    test::check_unit_scale(
        "conv " + c.str(),
        [&](const std::vector<Tensor>& t) {
          return unit_scaled::conv(t[0], t[1], {}, parameters, Constraint::none, c.mode);
        },
        [&](Rng& rng) {
          return std::vector{unit_leaf(c.x(), rng), unit_leaf(c.with_kernel(c.out, c.in / c.groups), rng)};
        });
  }
}

/// The bias is 0 at the start: what counts is its gradient.
BOOST_AUTO_TEST_CASE(the_gradients_of_biases_keep_unit_scale) {
  for (const Case& c : kCases) {
    const ConvParameters parameters{
        .stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups};
    const ConvTransposeParameters transposed{
        .stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups};
    Shape x{1, c.in};
    for (int axis = 0; axis < c.rank; ++axis) x = x.append(9);
    const auto gradient = [&](const TensorFunction& function, const Shape& weight) {
      return test::deviations_of(function,
                                 [&](Rng& rng) {
                                   return std::vector{Tensor::randn(x, rng), Tensor::randn(weight, rng),
                                                      Tensor::zeros({c.out}).set_requires_grad()};
                                 })
          .gradients[0];
    };
    const double conv = gradient(
        [&](const std::vector<Tensor>& t) {
          return unit_scaled::conv(t[0], t[1], t[2], parameters, Constraint::none, c.mode);
        },
        c.with_kernel(c.out, c.in / c.groups));
    const double transpose = gradient(
        [&](const std::vector<Tensor>& t) {
          return unit_scaled::conv_transpose(t[0], t[1], t[2], transposed, Constraint::none);
        },
        c.with_kernel(c.in, c.out / c.groups));
    BOOST_TEST(std::abs(conv - 1) < 0.1, "conv " << c.str() << ": " << conv);
    BOOST_TEST(std::abs(transpose - 1) < 0.1, "conv_transpose " << c.str() << ": " << transpose);
  }
}

BOOST_AUTO_TEST_CASE(transposed_conv_keeps_unit_scale) {
  int cases = 0;
  for (const Case& c : kCases) {
    if (c.mode != PadMode::zeros) continue;
    for (const std::int64_t extra : {std::int64_t{0}, c.stride - 1}) {
      if (extra == 0 && c.stride > 1 && c.kernel < c.stride) continue;
      ++cases;
      const ConvTransposeParameters parameters{.stride = c.stride,
                                               .padding = c.padding,
                                               .output_padding = extra,
                                               .dilation = c.dilation,
                                               .groups = c.groups};
      test::check_unit_scale(
          fmt::format("conv_transpose {} + {}", c.str(), extra),
          [&](const std::vector<Tensor>& t) {
            return unit_scaled::conv_transpose(t[0], t[1], {}, parameters, Constraint::none);
          },
          [&](Rng& rng) {
            return std::vector{unit_leaf(c.x(), rng), unit_leaf(c.with_kernel(c.in, c.out / c.groups), rng)};
          });
      if (c.stride == 1) break;
    }
  }
  BOOST_TEST(cases >= 20);
}

/// A readout's output is smaller than 1 by fan_in^½; both its gradients have unit scale.
BOOST_AUTO_TEST_CASE(a_conv_readout_has_unit_gradients) {
  for (const Case& c : kCases) {
    const ConvParameters parameters{
        .stride = c.stride, .padding = c.padding, .dilation = c.dilation, .groups = c.groups};
    const test::Deviations got = test::deviations_of(
        [&](const std::vector<Tensor>& t) {
          return unit_scaled::conv_readout(t[0], t[1], {}, parameters, Constraint::none, c.mode);
        },
        [&](Rng& rng) {
          return std::vector{unit_leaf(c.x(), rng), unit_leaf(c.with_kernel(c.out, c.in / c.groups), rng)};
        });
    const double fan_in = static_cast<double>(c.with_kernel(1, c.in / c.groups).numel());
    BOOST_TEST(std::abs(got.output * std::sqrt(fan_in) - 1) < 0.1, c.str());
    BOOST_TEST(std::abs(got.gradients[0] - 1) < 0.1, c.str());
    BOOST_TEST(std::abs(got.gradients[1] - 1) < 0.1, c.str());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
