#include <evenkeel/analysis/scale_report.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

using namespace evenkeel;
using analysis::ScaleReport;
using analysis::ScaleRow;

namespace {

constexpr std::int64_t kWidth = 128, kBatch = 256;

/// Doubles its input forward, and makes gradients 8 times larger.
struct Gain : nn::Module {
  Tensor forward(const Tensor& x) override { return scale(x, 2, 8); }
};

struct Relu : nn::Module {
  Tensor forward(const Tensor& x) override { return relu(x); }
};

/// A linear layer with weights N(0, 1), a gain, a relu.
nn::Sequential make_net() {
  Rng rng(5);
  nn::Sequential net(nn::Linear({.in_features = kWidth, .out_features = kWidth, .bias = false}, rng), Gain(),
                     Relu());
  for (const auto& parameter : net.parameters()) {
    Tensor weight = parameter.tensor();
    weight.copy_(Tensor::randn(weight.shape(), rng));
  }
  return net;
}

Tensor make_batch() {
  Rng rng(6);
  return Tensor::randn({kBatch, kWidth}, rng);
}

const ScaleRow& row(const ScaleReport& report, const std::string& layer, const std::string& name) {
  for (const auto& candidate : report.rows)
    if (candidate.layer == layer && candidate.name == name) return candidate;
  throw std::runtime_error("no row " + layer + " " + name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(scale_report_test)

BOOST_AUTO_TEST_CASE(every_op_parameter_and_the_input_have_the_scales_that_theory_says) {
  auto net = make_net();
  const ScaleReport report = analysis::scale_report(net, make_batch());
  BOOST_REQUIRE_EQUAL(report.rows.size(), 5U);
  const auto near = boost::test_tools::tolerance(0.05);
  const double root = std::sqrt(static_cast<double>(kWidth));

  const ScaleRow& input = row(report, "", "input");
  BOOST_TEST(input.forward.deviation == 1.0, near);
  // Half of the N(0, 1) gradients pass the relu: √½; gain makes 8 of it; the weights √width.
  BOOST_TEST(input.backward->deviation == 8 * root / std::sqrt(2.0), near);

  const ScaleRow& weight = row(report, "0", "weight");
  BOOST_TEST(weight.is_parameter);
  BOOST_TEST(weight.forward.deviation == 1.0, near);
  BOOST_TEST(weight.backward->deviation == 8 * std::sqrt(kBatch / 2.0), near);

  const ScaleRow& fc = row(report, "0", "linear");
  BOOST_TEST(!fc.is_parameter);
  BOOST_TEST((fc.shape == Shape{kBatch, kWidth}));
  BOOST_TEST(fc.forward.deviation == root, near);
  BOOST_TEST(fc.backward->deviation == 8 / std::sqrt(2.0), near);

  const ScaleRow& gain = row(report, "1", "scale");
  BOOST_TEST(gain.forward.deviation == 2 * root, near);
  BOOST_TEST(gain.backward->deviation == std::sqrt(0.5), near);
  BOOST_TEST(gain.backward->zero == 0.5, near);

  const ScaleRow& act = row(report, "2", "relu");
  BOOST_TEST(act.forward.zero == 0.5, near);
  BOOST_TEST(act.forward.deviation == 2 * root * std::sqrt(0.5 - 0.5 / M_PI), near);
  BOOST_TEST(act.backward->deviation == 1.0, near);
  BOOST_TEST(act.backward->zero == 0.0);
}

BOOST_AUTO_TEST_CASE(a_loss_gives_the_gradient_and_its_ops_are_in_the_layer_loss) {
  auto net = make_net();
  const ScaleReport report =
      analysis::scale_report(net, make_batch(), [](const Tensor& y) { return sum(y) * 3; });
  BOOST_TEST(row(report, "2", "relu").backward->deviation == 0.0);
  BOOST_TEST(row(report, "1", "scale").backward->deviation == 1.5, boost::test_tools::tolerance(0.02));
  BOOST_TEST(row(report, "loss", "sum").shape.rank() == 0);
}

BOOST_AUTO_TEST_CASE(parameters_stand_before_the_first_op_of_their_layer) {
  auto net = make_net();
  const auto report = analysis::scale_report(net, make_batch());
  std::vector<std::string> names;
  for (const auto& item : report.rows) names.push_back(item.name);
  BOOST_TEST(names == (std::vector<std::string>{"input", "weight", "linear", "scale", "relu"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_no_gradient_reaches_has_none) {
  struct TwoHeads : nn::Module {
    explicit TwoHeads(Rng& rng)
        : used(add("used", nn::Linear({.in_features = 4, .out_features = 4}, rng))),
          spare(add("spare", nn::Linear({.in_features = 4, .out_features = 4}, rng))) {}
    Tensor forward(const Tensor& x) override {
      spare(x);
      return used(x);
    }
    nn::Linear &used, &spare;
  };
  Rng rng(1);
  TwoHeads net(rng);
  const auto report = analysis::scale_report(net, Tensor::randn({2, 4}, rng));
  BOOST_TEST(row(report, "used", "linear").backward.has_value());
  BOOST_TEST(!row(report, "spare", "linear").backward.has_value());
  BOOST_TEST(!row(report, "spare", "bias").backward.has_value());
  BOOST_TEST(report.text().find("<- none") != std::string::npos);
  const auto json = nlohmann::json::parse(report.json());
  for (const auto& item : json["rows"]) BOOST_TEST(item["backward"].is_null() == (item["layer"] == "spare"));
}

BOOST_AUTO_TEST_CASE(the_models_gradients_and_buffers_stay_as_they_were) {
  struct Counter : nn::Module {
    Counter() : calls(add_buffer("calls", Tensor::zeros({}))) {}
    Tensor forward(const Tensor& x) override {
      calls.fill_(calls.item() + 1);
      return x * 1.0;
    }
    Tensor calls;
  };
  Rng rng(1);
  nn::Sequential net(nn::Linear({.in_features = 4, .out_features = 4}, rng), Counter());
  Tensor weight = net.parameters().front().tensor();
  weight.set_grad(Tensor::full({4, 4}, 7));
  analysis::scale_report(net, Tensor::randn({2, 4}, rng));
  BOOST_TEST(weight.grad().to_vector<float>() == std::vector<float>(16, 7.0F),
             boost::test_tools::per_element());
  BOOST_TEST(!net.parameters().back().tensor().grad().defined());
  BOOST_TEST(net.named_buffers().front().tensor.item() == 0);
}

BOOST_AUTO_TEST_CASE(a_failing_model_leaves_no_observer_behind) {
  struct Failing : nn::Module {
    Tensor forward(const Tensor&) override { throw std::runtime_error("broken"); }
  };
  Failing net;
  BOOST_CHECK_THROW(analysis::scale_report(net, Tensor::ones({1})), std::runtime_error);
  BOOST_TEST(evenkeel::detail::set_op_observer(nullptr) == nullptr);
}

BOOST_AUTO_TEST_CASE(text_has_both_arrows_on_each_line_and_the_shares_that_are_not_zero) {
  auto net = make_net();
  const std::string text = analysis::scale_report(net, make_batch()).text();
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  BOOST_TEST(line == "standard deviation: -> forward, <- backward");
  std::vector<std::string> seen;
  while (std::getline(lines, line)) {
    seen.push_back(line);
    BOOST_TEST(line.find("(-> ") != std::string::npos);
    BOOST_TEST(line.find(", <- ") != std::string::npos);
  }
  BOOST_REQUIRE_EQUAL(seen.size(), 5U);
  BOOST_TEST(seen[2].find("0  linear  [256, 128]") == 0U);
  BOOST_TEST(seen[2].find("; zero <- ") != std::string::npos);
  BOOST_TEST(seen[4].find("; zero -> ") != std::string::npos);
  BOOST_TEST(seen[1].find("zero") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_holds_what_the_rows_hold) {
  auto net = make_net();
  const auto report = analysis::scale_report(net, make_batch());
  const auto json = nlohmann::json::parse(report.json());
  BOOST_REQUIRE_EQUAL(json["rows"].size(), report.rows.size());
  BOOST_TEST(json["rows"][0]["kind"] == "input");
  BOOST_TEST(json["rows"][1]["kind"] == "parameter");
  BOOST_TEST(json["rows"][2]["kind"] == "op");
  BOOST_TEST(json["rows"][2]["shape"] == (std::vector<std::int64_t>{kBatch, kWidth}));
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const auto& item = json["rows"][i];
    BOOST_TEST(item["layer"] == report.rows[i].layer);
    BOOST_TEST(item["name"] == report.rows[i].name);
    for (const auto& [key, stats] :
         {std::pair("forward", report.rows[i].forward), std::pair("backward", *report.rows[i].backward)}) {
      BOOST_TEST(item[key]["deviation"].get<double>() == stats.deviation);
      BOOST_TEST(item[key]["zero"].get<double>() == stats.zero);
      BOOST_TEST(item[key]["subnormal_f16"].get<double>() == stats.subnormal_f16);
      BOOST_TEST(item[key]["subnormal_f32"].get<double>() == stats.subnormal_f32);
      BOOST_TEST(item[key]["above_e4m3"].get<double>() == stats.above_e4m3);
      BOOST_TEST(item[key]["below_e4m3"].get<double>() == stats.below_e4m3);
      BOOST_TEST(item[key]["above_e5m2"].get<double>() == stats.above_e5m2);
      BOOST_TEST(item[key]["below_e5m2"].get<double>() == stats.below_e5m2);
      BOOST_TEST(item[key]["not_finite"].get<double>() == stats.not_finite);
    }
  }
}

BOOST_AUTO_TEST_CASE(svg_draws_a_dot_for_each_deviation_and_names_each_row) {
  auto net = make_net();
  const std::string svg = analysis::scale_report(net, make_batch()).svg();
  std::size_t dots = 0;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1))
    ++dots;
  BOOST_TEST(dots == 10U);
  for (const char* label : {">input<", ">0.weight<", ">0  linear<", ">1  scale<", ">2  relu<"})
    BOOST_TEST(svg.find(label) != std::string::npos, label);
}

BOOST_AUTO_TEST_SUITE_END()
