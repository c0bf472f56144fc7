#include "support/layer_golden.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace evenkeel::test {

namespace {

struct Worst {
  int cases = 0;
  double difference[2] = {0, 0};  // f64, f32
};

struct Report {
  std::map<std::string, Worst> ops;
  ~Report() {
    for (const auto& [op, worst] : ops)
      std::printf("golden %s: %d configurations, worst difference %.1e in f64, %.1e in f32\n", op.c_str(),
                  worst.cases, worst.difference[0], worst.difference[1]);
  }
};

Worst& worst_of(const std::string& op) {
  static Report report;
  return report.ops[op];
}

double difference(const Tensor& got, const Tensor& want) {
  const std::vector<double> a = got.detach().to(DType::f64).to_vector<double>();
  const std::vector<double> b = want.detach().to(DType::f64).to_vector<double>();
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    worst = std::max(worst, std::isfinite(a[i]) ? std::abs(a[i] - b[i]) : INFINITY);
  }
  return largest > 0 ? worst / largest : worst;
}

class Comparison {
 public:
  Comparison(const GoldenCase& golden, DType dtype, double tolerance)
      : golden_(golden),
        dtype_(dtype),
        tolerance_(tolerance),
        worst_(worst_of(golden.op).difference[dtype == DType::f32]) {}

  void compare(const Tensor& got, const std::string& name) {
    const Tensor want = golden_.get(name);
    const std::string what = golden_.name + " " + evenkeel::name(dtype_) + " " + name;
    BOOST_REQUIRE_MESSAGE(got.defined() && want.defined() && got.shape() == want.shape(),
                          what << ": got " << got.str() << ", expected " << want.str());
    const double found = difference(got, want);
    worst_ = std::max(worst_, found);
    BOOST_TEST(found <= tolerance_, what << ": difference " << found);
  }

 private:
  const GoldenCase& golden_;
  DType dtype_;
  double tolerance_;
  double& worst_;
};

void check_keys(const GoldenCase& golden, nn::Module& module) {
  if (!golden.entry.contains("keys")) return;
  std::vector<std::string> got, want;
  for (const auto& [name, shape] : state_of(module)) got.push_back(name + shape.str());
  for (const nlohmann::json& key : golden.entry["keys"])
    want.push_back(key[0].get<std::string>() + Shape(key[1].get<std::vector<std::int64_t>>()).str());
  BOOST_TEST(got == want, boost::test_tools::per_element());
}

}  // namespace

std::vector<std::pair<std::string, Shape>> state_of(nn::Module& module) {
  std::vector<std::pair<std::string, Shape>> state;
  const auto parameters = module.named_parameters();
  const auto buffers = module.named_buffers();
  const auto owner = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
  for (const auto& [path, child] : module.named_modules()) {
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [name, parameter] : parameters)
      if (owner(name) == prefix) state.emplace_back(name, parameter.tensor().shape());
    for (const auto& [name, tensor, kind] : buffers)
      if (owner(name) == prefix) state.emplace_back(name, tensor.shape());
  }
  return state;
}

void check_layer(const GoldenCase& golden, const LayerMaker& make, double f32_tolerance) {
  ++worst_of(golden.op).cases;
  for (const DType dtype : {DType::f64, DType::f32}) {
    const std::unique_ptr<nn::Module> module = make(dtype);
    module->train(option(golden, "training", true));
    check_keys(golden, *module);
    for (const auto& [name, parameter] : module->named_parameters()) {
      BOOST_REQUIRE_MESSAGE(golden.has(name),
                            golden.name << ": no parameter " << name << " in the golden case");
      Tensor(parameter.tensor()).copy_(golden.get(name));
    }
    for (const auto& [name, buffer, kind] : module->named_buffers())
      if (golden.has(name)) Tensor(buffer).copy_(golden.get(name));
    Tensor x = golden.get("x").to(dtype).clone().set_requires_grad();
    const Tensor y = (*module)(x);
    Comparison comparison(golden, dtype, dtype == DType::f64 ? 1e-12 : f32_tolerance);
    comparison.compare(y, "y");
    y.backward(golden.get("gy").to(dtype));
    if (golden.has("grad_x")) comparison.compare(x.grad(), "grad_x");
    for (const auto& [name, parameter] : module->named_parameters())
      if (golden.has("grad_" + name)) comparison.compare(parameter.tensor().grad(), "grad_" + name);
    for (const auto& [name, buffer, kind] : module->named_buffers())
      if (golden.has(name + "_after")) comparison.compare(buffer, name + "_after");
  }
}

Axes axes_of(const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_number()) return value.get<std::int64_t>();
  const auto numbers = value.get<std::vector<std::int64_t>>();
  return Axes(std::span<const std::int64_t>(numbers));
}

}  // namespace evenkeel::test
