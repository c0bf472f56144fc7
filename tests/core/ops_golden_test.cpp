#include "support/check_gradients.h"
#include "support/golden.h"

#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <map>

namespace evenkeel {
namespace {

using test::GoldenCase;
using Json = nlohmann::json;
using Inputs = std::vector<Tensor>;

struct Parity {
  std::vector<std::string> inputs;
  std::function<Tensor(const Inputs&, const Json&)> run;
};

std::vector<int> ints(const Json& numbers) { return numbers.get<std::vector<int>>(); }
Shape shape_of(const Json& numbers) { return Shape(numbers.get<std::vector<std::int64_t>>()); }
Axes axes_of(const Json& numbers) { return Axes(std::span<const std::int64_t>(shape_of(numbers))); }

Reduction reduction_of(const Json& options) {
  const auto text = options.at("reduction").get<std::string>();
  return text == "none" ? Reduction::none : text == "mean" ? Reduction::mean : Reduction::sum;
}

Tensor max_over(Tensor x, std::vector<int> axes, bool keepdim) {
  std::sort(axes.rbegin(), axes.rend());
  for (const int axis : axes) x = max(x, axis, keepdim);
  return x;
}

Tensor reshape_to(const Tensor& x, const Json& options) {
  auto sizes = options.at("shape").get<std::vector<std::int64_t>>();
  const auto open = std::find(sizes.begin(), sizes.end(), -1);
  if (open == sizes.end()) return reshape(x, Shape(sizes));
  BOOST_REQUIRE(sizes.size() == 2);
  return reshape(x, {sizes[0], sizes[1]});
}

CrossEntropyOptions cross_entropy_options(const Tensor& weight, const Json& options) {
  return {weight, options.at("ignore_index"), options.at("label_smoothing"), reduction_of(options)};
}

MaxPoolOptions max_pool_options(const Json& o) {
  return {axes_of(o.at("kernel_size")), axes_of(o.at("stride")), axes_of(o.at("padding")),
          axes_of(o.at("dilation")), o.at("ceil_mode")};
}

AvgPoolOptions avg_pool_options(const Json& o) {
  return {axes_of(o.at("kernel_size")), axes_of(o.at("stride")), axes_of(o.at("padding")), o.at("ceil_mode"),
          o.at("count_include_pad")};
}

std::map<std::string, Parity> parity_table() {
  std::map<std::string, Parity> table;
  const auto unary = [&](const char* op, Tensor (*function)(const Tensor&)) {
    table[op] = {{"x"}, [=](const Inputs& t, const Json&) { return function(t[0]); }};
  };
  unary("relu", relu);
  unary("silu", silu);
  unary("sigmoid", sigmoid);
  unary("tanh", tanh);
  unary("exp", exp);
  unary("abs", abs);
  unary("log", log);
  unary("sqrt", sqrt);
  const auto binary = [&](const char* op, Tensor (*function)(const Tensor&, const Tensor&)) {
    table[op] = {{"a", "b"}, [=](const Inputs& t, const Json&) { return function(t[0], t[1]); }};
  };
  binary("add", add);
  binary("sub", sub);
  binary("mul", mul);
  binary("div", div);
  binary("matmul", matmul);
  table["prelu"] = {{"x", "weight"}, [](const Inputs& t, const Json&) { return prelu(t[0], t[1]); }};
  table["linear"] = {{"x", "weight", "bias"},
                     [](const Inputs& t, const Json&) { return linear(t[0], t[1], t[2]); }};
  const auto with_options = [&](const char* op, std::function<Tensor(const Tensor&, const Json&)> function) {
    table[op] = {{"x"}, [=](const Inputs& t, const Json& o) { return function(t[0], o); }};
  };
  with_options("gelu", [](const Tensor& x, const Json& o) {
    return gelu(x, o.at("approximate") == "tanh" ? GeluApproximation::tanh : GeluApproximation::none);
  });
  with_options("pow", [](const Tensor& x, const Json& o) { return pow(x, o.at("exponent").get<double>()); });
  with_options("softmax", [](const Tensor& x, const Json& o) { return softmax(x, o.at("dim")); });
  with_options("log_softmax", [](const Tensor& x, const Json& o) { return log_softmax(x, o.at("dim")); });
  with_options("sum",
               [](const Tensor& x, const Json& o) { return sum(x, ints(o.at("dim")), o.at("keepdim")); });
  with_options("mean",
               [](const Tensor& x, const Json& o) { return mean(x, ints(o.at("dim")), o.at("keepdim")); });
  with_options(
      "max", [](const Tensor& x, const Json& o) { return max_over(x, ints(o.at("dim")), o.at("keepdim")); });
  with_options("var", [](const Tensor& x, const Json& o) {
    return var(x, ints(o.at("dim")), o.at("correction"), o.at("keepdim"));
  });
  with_options("slice", [](const Tensor& x, const Json& o) {
    return slice(x, o.at("dim"), o.at("start"), o.at("stop"), o.at("step"));
  });
  with_options("reshape", reshape_to);
  with_options("permute", [](const Tensor& x, const Json& o) { return permute(x, ints(o.at("dims"))); });
  with_options("flatten",
               [](const Tensor& x, const Json& o) { return flatten(x, o.at("start_dim"), o.at("end_dim")); });
  table["cat"] = {{"x0", "x1", "x2"}, [](const Inputs& t, const Json& o) {
                    Inputs there;
                    std::copy_if(t.begin(), t.end(), std::back_inserter(there),
                                 [](const Tensor& tensor) { return tensor.defined(); });
                    return cat(there, o.at("dim"));
                  }};
  for (int rank = 1; rank <= 3; ++rank) {
    const std::string end = std::to_string(rank) + "d";
    with_options(("max_pool" + end).c_str(),
                 [rank](const Tensor& x, const Json& o) { return max_pool(x, rank, max_pool_options(o)); });
    with_options(("avg_pool" + end).c_str(),
                 [rank](const Tensor& x, const Json& o) { return avg_pool(x, rank, avg_pool_options(o)); });
    with_options(("adaptive_avg_pool" + end).c_str(), [rank](const Tensor& x, const Json& o) {
      return adaptive_avg_pool(x, rank, axes_of(o.at("output_size")));
    });
  }
  table["cross_entropy"] = {{"x", "target", "weight"}, [](const Inputs& t, const Json& o) {
                              return cross_entropy(t[0], t[1], cross_entropy_options(t[2], o));
                            }};
  const std::vector<std::string> pair{"x", "target"};
  table["mse_loss"] = {pair,
                       [](const Inputs& t, const Json& o) { return mse_loss(t[0], t[1], reduction_of(o)); }};
  table["l1_loss"] = {pair,
                      [](const Inputs& t, const Json& o) { return l1_loss(t[0], t[1], reduction_of(o)); }};
  table["huber_loss"] = {pair, [](const Inputs& t, const Json& o) {
                           return huber_loss(t[0], t[1], o.at("delta"), reduction_of(o));
                         }};
  table["bce_with_logits"] = {{"x", "target", "pos_weight"}, [](const Inputs& t, const Json& o) {
                                return bce_with_logits(t[0], t[1], t[2], reduction_of(o));
                              }};
  return table;
}

/// Ops of ops.h5 that another test compares.
bool is_checked_elsewhere(const std::string& op) {
  return op.starts_with("conv") || op.starts_with("batch_norm") || op.starts_with("instance_norm") ||
         op.starts_with("layer_norm") || op.starts_with("rms_norm");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_golden_test)

BOOST_AUTO_TEST_CASE(values_and_gradients_agree_with_pytorch) {
  struct Total {
    int configurations = 0;
    test::GoldenDifference worst;
    void add(const test::GoldenDifference& difference, int count) {
      configurations += count;
      worst.f64 = std::max(worst.f64, difference.f64);
      worst.f32 = std::max(worst.f32, difference.f32);
    }
    void print(const char* name) const {
      std::printf("%-20s %4d configurations, worst difference f64 %.1e, f32 %.1e\n", name, configurations,
                  worst.f64, worst.f32);
    }
  };
  const auto table = parity_table();
  std::map<std::string, Total> totals;
  for (const GoldenCase& golden : test::read_golden("ops.h5")) {
    if (is_checked_elsewhere(golden.op)) continue;
    const auto found = table.find(golden.op);
    BOOST_REQUIRE_MESSAGE(found != table.end(), "ops.h5 has an op that no test covers: " << golden.op);
    const Parity& parity = found->second;
    totals[golden.op].add(
        test::check_golden(golden, parity.inputs,
                           [&](const Inputs& inputs) { return parity.run(inputs, golden.options); }),
        1);
  }
  Total all;
  for (const auto& [op, total] : totals) {
    total.print(op.c_str());
    all.add(total.worst, total.configurations);
  }
  all.print("all");
  for (const auto& [op, parity] : table) BOOST_TEST(totals.contains(op), "ops.h5 has no case of " << op);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace evenkeel
