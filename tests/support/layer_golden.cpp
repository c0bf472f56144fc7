#include "support/layer_golden.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
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

void check_keys(const GoldenCase& golden, nn::Module& module) {
  if (!golden.entry.contains("keys")) return;
  std::vector<std::string> got, want;
  for (const auto& [name, shape] : state_of(module)) got.push_back(name + shape.str());
  for (const nlohmann::json& key : golden.entry["keys"])
    want.push_back(key[0].get<std::string>() + Shape(key[1].get<std::vector<std::int64_t>>()).str());
  BOOST_TEST(got == want, boost::test_tools::per_element());
}

}  // namespace

void check_layer(const GoldenCase& golden, double f32_tolerance) {
  Worst& worst = worst_of(golden.op);
  ++worst.cases;
  for (const DType dtype : {DType::f64, DType::f32}) {
    const std::unique_ptr<nn::Module> layer = make_golden_layer(golden, dtype);
    BOOST_REQUIRE_MESSAGE(layer, "no layer for " << golden.name);
    check_keys(golden, *layer);
    for (const auto& [name, difference] : layer_differences(golden, *layer, dtype)) {
      double& largest = worst.difference[dtype == DType::f32];
      largest = std::max(largest, difference);
      BOOST_TEST(difference <= (dtype == DType::f64 ? 1e-12 : f32_tolerance),
                 golden.name << " " << evenkeel::name(dtype) << " " << name << ": difference " << difference);
    }
  }
}

}  // namespace evenkeel::test
