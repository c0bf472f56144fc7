#include "conv_cases.h"
#include "conv_reference.h"
#include "kernel_support.h"

#include <evenkeel/core/kernels/conv_channels.h>
#include <evenkeel/core/kernels/conv_columns.h>
#include <evenkeel/core/kernels/conv_depthwise_lanes.h>
#include <evenkeel/core/kernels/conv_depthwise_plane.h>
#include <evenkeel/core/kernels/conv_depthwise_rows.h>
#include <evenkeel/core/kernels/conv_direct.h>
#include <evenkeel/core/kernels/conv_images.h>
#include <evenkeel/core/kernels/conv_linear.h>
#include <evenkeel/core/kernels/conv_pointwise.h>
#include <evenkeel/core/kernels/conv_winograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <random>
#include <utility>

using namespace evenkeel;
using namespace evenkeel::test;
using kernels::ConvGeometry;

namespace {

std::string describe(const ConvGeometry& g) {
  std::string text = "rank " + std::to_string(g.rank) + " batch " + std::to_string(g.batch) + " channels " +
                     std::to_string(g.in_channels) + "->" + std::to_string(g.out_channels) + " groups " +
                     std::to_string(g.groups);
  for (int i = 0; i < g.rank; ++i)
    text += " [in " + std::to_string(g.in[i]) + " k " + std::to_string(g.kernel[i]) + " s " +
            std::to_string(g.stride[i]) + " d " + std::to_string(g.dilation[i]) + " p " +
            std::to_string(g.padding[i]) + "]";
  return text;
}

// Tolerances of single paths, in kTolerance<float>: transformed sums cancel a little, those of squares more.
constexpr double kOfPath = 2, kOfSquares = 3;

/// Of the path that conv_forward() and conv_input_grad() take. Rounding grows with the root of the summands.
template <class T>
double tolerance_of(const ConvGeometry& g) {
  constexpr double kFewSummands = 576;
  const std::int64_t summands = std::max(g.in_channels, g.out_channels) / g.groups *
                                kernels::product(kernels::as_volume(g.rank, g.kernel, 1));
  const bool squares = std::is_same_v<T, float> && kernels::conv_winograd_pays(g) &&
                       kernels::winograd_form(g) == kernels::WinogradForm::squares;
  return (squares ? kOfSquares : std::max(1.0, std::sqrt(static_cast<double>(summands) / kFewSummands))) *
         kTolerance<T>;
}

template <class T>
struct Data {
  explicit Data(const ConvGeometry& g)
      : x(noise<T>(x_count(g), 1)),
        w(noise<T>(w_count(g), 2)),
        bias(noise<T>(g.out_channels, 3)),
        gy(noise<T>(y_count(g), 4)) {}
  std::vector<T> x, w, bias, gy;
};

/// The rules that choose a path have many edges: small geometries drawn at random find the corners between.
std::vector<ConvGeometry> random_geometries(int count) {
  std::mt19937 generator(7);
  const auto one_of = [&](std::initializer_list<std::int64_t> choices) {
    return choices.begin()[generator() % choices.size()];
  };
  std::vector<ConvGeometry> drawn;
  while (static_cast<int>(drawn.size()) < count) {
    const int rank = static_cast<int>(one_of({1, 2, 3}));
    const std::int64_t longest = rank == 1 ? 50 : rank == 2 ? 12 : 6, groups = one_of({1, 1, 1, 2});
    ConvCase c{rank,
               one_of({1, 2, 5, 20, 50}),
               groups * one_of({1, 3, 8, 12, 16, 20, 33, 64, 70}),
               groups * one_of({1, 3, 8, 12, 16, 20, 33, 64, 70}),
               groups,
               {},
               {},
               {},
               {},
               {}};
    for (int axis = 0; axis < rank; ++axis) {
      c.in[axis] = 1 + static_cast<std::int64_t>(generator()) % longest;
      c.kernel[axis] = one_of({1, 1, 2, 3, 3, 5});
      c.stride[axis] = one_of({1, 1, 2, 3, 4});
      c.dilation[axis] = one_of({1, 1, 2, 3});
      c.padding[axis] = one_of({0, 1, c.dilation[axis] * (c.kernel[axis] - 1) / 2, 3});
      c.extra[axis] = one_of({0, 0, 1, -1});
    }
    bool whole = true;
    const std::int64_t pairs = c.batch * c.in_channels * c.out_channels / groups;
    auto products = static_cast<double>(pairs);
    const ConvGeometry g = c.geometry();
    for (int axis = 0; axis < rank; ++axis) {
      whole =
          whole && c.in[axis] + 2 * c.padding[axis] + c.extra[axis] > c.dilation[axis] * (c.kernel[axis] - 1);
      products *= static_cast<double>(g.out[axis] * g.kernel[axis]);
    }
    if (whole && products < 4e6) drawn.push_back(g);
  }
  return drawn;
}

struct Path {
  const char* name;
  std::function<void(float*)> run;
  double tolerance = kOfPath;
};

bool has_unit_strides(const ConvGeometry& g) {
  return std::all_of(g.stride.begin(), g.stride.begin() + g.rank, [](auto stride) { return stride == 1; });
}

/// Along the last two axes.
bool has_neighbouring_taps(const ConvGeometry& g) {
  return g.rank > 1 && g.dilation[g.rank - 1] == 1 && g.dilation[g.rank - 2] == 1;
}

bool is_depthwise(const ConvGeometry& g) { return g.in_channels == g.groups && g.out_channels == g.groups; }

bool has_one_cell(const ConvGeometry& g) {
  for (int axis = 0; axis < g.rank; ++axis)
    if (g.kernel[axis] != 1 || g.padding[axis] != 0 || (g.out[axis] - 1) * g.stride[axis] >= g.in[axis])
      return false;
  return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(conv_kernel_test)

/// Whatever path the rules would take, each of them is right wherever it can be taken.
BOOST_AUTO_TEST_CASE(every_path_gives_the_sums_over_the_window) {
  if (!kernels::kWidePaths) BOOST_TEST_MESSAGE("paths of products of packed matrices are not in this build");
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    const Data<float> d(g);
    std::vector<double> y_sum(d.gy.size()), x_sum(d.x.begin(), d.x.end()), w_sum(d.w.begin(), d.w.end());
    for_each_product(g, [&](auto x, auto w, auto y) {
      y_sum[y] += double(d.x[x]) * double(d.w[w]);
      x_sum[x] += double(d.gy[y]) * double(d.w[w]);
      w_sum[w] += double(d.gy[y]) * double(d.x[x]);
    });
    const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
    for (std::size_t i = 0; i < y_sum.size(); ++i)
      y_sum[i] += double(d.bias[std::int64_t(i) / cells % g.out_channels]);
    const float *x = d.x.data(), *w = d.w.data(), *bias = d.bias.data(), *gy = d.gy.data();
    const bool unit = has_unit_strides(g), one_cell = has_one_cell(g);
    const auto forward = [&](float* y) { return kernels::forward_pass(g, x, w, bias, y); };
    const auto backward = [&](float* gx) { return kernels::input_grad_pass(g, gy, w, gx, 1.0f); };

    std::vector<Path> to_y{{"direct", [&](float* y) { kernels::conv_direct(forward(y)); }},
                           {"channels", [&](float* y) { kernels::conv_by_channels(forward(y)); }},
                           {"images", [&](float* y) { kernels::conv_by_images(forward(y)); }}};
    std::vector<Path> to_gx{{"direct", [&](float* gx) { kernels::conv_direct(backward(gx)); }},
                            {"channels", [&](float* gx) { kernels::conv_by_channels(backward(gx)); }},
                            {"images", [&](float* gx) { kernels::conv_by_images(backward(gx)); }}};
    std::vector<Path> to_gw{
        {"direct", [&](float* gw) { kernels::conv_direct_weight_grad(g, x, gy, gw, 1.0f); }},
        {"dot", [&](float* gw) { kernels::conv_dot_weight_grad(g, x, gy, gw, 1.0f); }}};
    if (kernels::kWidePaths) {
      to_y.push_back({"columns", [&](float* y) { kernels::conv_by_columns(forward(y)); }});
      if (unit) to_gx.push_back({"columns", [&](float* gx) { kernels::conv_by_columns(backward(gx)); }});
      to_gx.push_back(
          {"columns to cells", [&](float* gx) { kernels::conv_columns_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back({"columns", [&](float* gw) { kernels::conv_columns_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (kernels::kWidePaths && one_cell) {
      to_y.push_back({"pointwise", [&](float* y) { kernels::conv_pointwise_forward(g, x, w, bias, y); }});
      to_gx.push_back(
          {"pointwise", [&](float* gx) { kernels::conv_pointwise_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back(
          {"pointwise", [&](float* gw) { kernels::conv_pointwise_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (is_depthwise(g) && g.stride[g.rank - 1] <= 2) {
      to_y.push_back({"rows", [&](float* y) { kernels::depthwise_rows_forward(g, x, w, bias, y); }});
      to_gx.push_back({"rows", [&](float* gx) { kernels::depthwise_rows_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back({"rows", [&](float* gw) { kernels::depthwise_rows_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (is_depthwise(g) && g.stride[g.rank - 1] <= kernels::kMaxLanesStep) {
      to_y.push_back({"lanes", [&](float* y) { kernels::depthwise_lanes_forward(g, x, w, bias, y); }});
      to_gx.push_back({"lanes", [&](float* gx) { kernels::depthwise_lanes_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back(
          {"lanes", [&](float* gw) { kernels::depthwise_lanes_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (is_depthwise(g) && g.stride[g.rank - 1] <= 2) {
      to_y.push_back({"planes", [&](float* y) { kernels::depthwise_planes_forward(g, x, w, bias, y); }});
      if (unit)
        to_gx.push_back(
            {"planes", [&](float* gx) { kernels::depthwise_planes_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back(
          {"planes", [&](float* gw) { kernels::depthwise_planes_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    if (kernels::conv_is_linear(g)) {
      to_y.push_back({"linear", [&](float* y) { kernels::conv_linear_forward(g, x, w, bias, y); }});
      to_gx.push_back({"linear", [&](float* gx) { kernels::conv_linear_input_grad(g, gy, w, gx, 1.0f); }});
      to_gw.push_back({"linear", [&](float* gw) { kernels::conv_linear_weight_grad(g, x, gy, gw, 1.0f); }});
    }
    using kernels::WinogradForm;
    for (const auto form : {WinogradForm::rows, WinogradForm::squares}) {
      const bool squares = form == WinogradForm::squares;
      if (!unit || (squares && !has_neighbouring_taps(g))) continue;
      const char* name = squares ? "winograd squares" : "winograd rows";
      const double tolerance = squares ? kOfSquares : kOfPath;
      to_y.push_back(
          {name, [&, form](float* y) { kernels::conv_winograd_forward(g, form, x, w, bias, y); }, tolerance});
      to_gx.push_back({name,
                       [&, form](float* gx) { kernels::conv_winograd_input_grad(g, form, gy, w, gx, 1.0f); },
                       tolerance});
      to_gw.push_back(
          {name, [&, form](float* gw) { kernels::conv_winograd_weight_grad(g, form, x, gy, gw, 1.0f); }});
    }
    const auto check = [&](const char* pass, const std::vector<Path>& paths, const std::vector<float>& start,
                           const std::vector<double>& expected, double least = 0) {
      for (const auto& [name, run, tolerance] : paths)
        BOOST_TEST_CONTEXT(pass << " by " << name << ", " << describe(g)) {
          auto result = start;
          run(result.data());
          check_close(result, expected, std::max(tolerance, least) * kTolerance<float>);
        }
    };
    check("forward", to_y, garbage<float>(y_count(g)), y_sum);
    check("gradient of the input", to_gx, d.x, x_sum);
    // Rounding grows with the root of the summands, of which some paths have all in one sum.
    const std::int64_t outputs = y_count(g) / g.out_channels;
    check("gradient of the weights", to_gw, d.w, w_sum,
          std::max(4.0, std::sqrt(static_cast<double>(outputs)) / 16));
  }
}

BOOST_AUTO_TEST_CASE(random_geometries_give_the_sums_over_the_window) {
  for (const ConvGeometry& g : random_geometries(400)) {
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<float> d(g);
      std::vector<double> y_sum(d.gy.size()), x_sum(d.x.size()), w_sum(d.w.size());
      for_each_product(g, [&](auto x, auto w, auto y) {
        y_sum[y] += double(d.x[x]) * double(d.w[w]);
        x_sum[x] += double(d.gy[y]) * double(d.w[w]);
        w_sum[w] += double(d.gy[y]) * double(d.x[x]);
      });
      auto y = garbage<float>(y_count(g)), gx = garbage<float>(x_count(g)), gw = garbage<float>(w_count(g));
      kernels::conv_forward<float>(g, d.x.data(), d.w.data(), nullptr, y.data());
      kernels::conv_input_grad<float>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      kernels::conv_weight_grad<float>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      check_close(y, y_sum, tolerance_of<float>(g));
      check_close(gx, x_sum, tolerance_of<float>(g));
      check_close(gw, w_sum, 4 * kTolerance<float>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(forward_is_the_sum_over_the_window, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.gy.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[y] += double(d.x[x]) * double(d.w[w]); });
      auto y = garbage<T>(y_count(g));
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), nullptr, y.data());
      check_close(y, expected, tolerance_of<T>(g));
      const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] += double(d.bias[std::int64_t(i) / cells % g.out_channels]);
      y = garbage<T>(y_count(g));
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
      check_close(y, expected, tolerance_of<T>(g));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(input_gradient_is_the_adjoint_and_accumulates, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.x.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[x] += double(d.gy[y]) * double(d.w[w]); });
      auto gx = garbage<T>(x_count(g));
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      check_close(gx, expected, tolerance_of<T>(g));
      gx = d.x;
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += double(d.x[i]);
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 1);
      check_close(gx, expected, tolerance_of<T>(g));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(weight_gradient_is_the_adjoint_and_accumulates, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<double> expected(d.w.size());
      for_each_product(g, [&](auto x, auto w, auto y) { expected[w] += double(d.gy[y]) * double(d.x[x]); });
      auto gw = garbage<T>(w_count(g));
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      check_close(gw, expected, 4 * kTolerance<T>);
      gw = d.w;
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += double(d.w[i]);
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 1);
      check_close(gw, expected, 4 * kTolerance<T>);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(padding_alone_gives_the_bias_and_zero_gradients, T, FloatTypes) {
  for (const ConvCase& c : {ConvCase{1, 1, 16, 32, 1, {0}, {3}, {1}, {1}, {2}},
                            ConvCase{2, 2, 16, 40, 1, {4, 0}, {3, 3}, {1, 1}, {1, 1}, {1, 2}},
                            ConvCase{1, 2, 1, 1, 1, {0}, {2}, {1}, {1}, {1}}}) {
    const ConvGeometry g = c.geometry();
    BOOST_TEST_CONTEXT(describe(g)) {
      const Data<T> d(g);
      std::vector<T> y = garbage<T>(y_count(g)), gw = garbage<T>(w_count(g)), gx;
      kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
      kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
      kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
      const std::int64_t cells = y_count(g) / (g.batch * g.out_channels);
      BOOST_REQUIRE_GT(cells, 0);
      for (std::size_t i = 0; i < y.size(); ++i)
        BOOST_CHECK_EQUAL(y[i], d.bias[std::int64_t(i) / cells % g.out_channels]);
      check_close(gw, std::vector<double>(gw.size()), 0);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_empty_batch_gives_nothing_and_no_weight_gradient, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    ConvGeometry g = c.geometry();
    g.batch = 0;
    BOOST_TEST_CONTEXT(describe(g)) {
      const auto w = noise<T>(w_count(g), 1);
      std::vector<T> nothing(1), gw = garbage<T>(w_count(g)), kept = w;
      kernels::conv_forward<T>(g, nothing.data(), w.data(), nullptr, nothing.data());
      kernels::conv_input_grad<T>(g, nothing.data(), w.data(), nothing.data(), 0);
      kernels::conv_weight_grad<T>(g, nothing.data(), nothing.data(), gw.data(), 0);
      kernels::conv_weight_grad<T>(g, nothing.data(), nothing.data(), kept.data(), 1);
      BOOST_CHECK(gw == std::vector<T>(gw.size()));
      BOOST_CHECK(kept == w);
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bits_do_not_depend_on_the_thread_count, T, FloatTypes) {
  for (const ConvCase& c : cases()) {
    const ConvGeometry g = c.geometry();
    const Data<T> d(g);
    BOOST_TEST_CONTEXT(describe(g)) {
      check_same_bits_at_any_thread_count([&] {
        auto y = garbage<T>(y_count(g)), gx = garbage<T>(x_count(g)), gw = garbage<T>(w_count(g));
        kernels::conv_forward<T>(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
        kernels::conv_input_grad<T>(g, d.gy.data(), d.w.data(), gx.data(), 0);
        kernels::conv_weight_grad<T>(g, d.x.data(), d.gy.data(), gw.data(), 0);
        return joined({y, gx, gw});
      });
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
