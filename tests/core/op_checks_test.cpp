#include "support/op_checks.h"

#include "support/check_gradients.h"

#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// Names of the functions in core/ops/*.h that return a Tensor.
std::set<std::string> declared_ops() {
  const std::regex declaration(R"(^(?:inline )?Tensor (\w+)\()");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(EVENKEEL_SOURCE_DIR "/core/ops")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);)
      if (std::smatch match; std::regex_search(line, match, declaration)) names.insert(match[1]);
  }
  return names;
}

// Convolution, norms, padding and resampling have larger grids in their own tests.

Tensor unit_variance(const Tensor& x) { return Tensor::full({x.dim(1)}, 1.3, DType::f64); }

const OpChecks conv_checks("conv", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) {
                                return conv(t[0], t[1], t[2], {.stride = 2, .padding = 1, .groups = 2});
                              },
                              {random_tensor({1, 2, 5}), random_tensor({2, 1, 3}), random_tensor({2})}}};
});
const OpChecks conv_transpose_checks("conv_transpose", [] {
  return std::vector<OpCase>{
      {[](const std::vector<Tensor>& t) { return conv_transpose(t[0], t[1], t[2], {.stride = 2}); },
       {random_tensor({1, 2, 3}), random_tensor({2, 1, 3}), random_tensor({1})}}};
});
const OpChecks batch_norm_checks("batch_norm", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) {
                                return batch_norm(t[0], unit_variance(t[0]), unit_variance(t[0]), t[1], t[2]);
                              },
                              {random_tensor({3, 2, 2}), random_tensor({2}), random_tensor({2})}}};
});
const OpChecks instance_norm_checks("instance_norm", [] {
  return std::vector<OpCase>{
      {[](const std::vector<Tensor>& t) { return instance_norm(t[0], {}, {}, t[1], t[2]); },
       {random_tensor({2, 2, 4}), random_tensor({2}), random_tensor({2})}}};
});
const OpChecks norm_prelu_checks("instance_norm", [] {
  return std::vector<OpCase>{
      {[](const std::vector<Tensor>& t) {
         return instance_norm(t[0], {}, {}, t[1], t[2], {}, {NormActivation::Kind::prelu, t[3]});
       },
       {random_tensor({2, 2, 4}), random_tensor({2}), random_tensor({2}), random_tensor({2})}}};
});
const OpChecks layer_norm_checks("layer_norm", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) { return layer_norm(t[0], {5}, t[1], t[2]); },
                              {random_tensor({3, 5}), random_tensor({5}), random_tensor({5})}}};
});
const OpChecks rms_norm_checks("rms_norm", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) { return rms_norm(t[0], {5}, t[1]); },
                              {random_tensor({3, 5}), random_tensor({5})}}};
});
const OpChecks pad_checks("pad", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) {
                                return pad(t[0], {2, 1}, PadMode::reflect);
                              },
                              {random_tensor({1, 2, 5})}}};
});
const OpChecks interpolate_checks("interpolate", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) {
                                return interpolate(t[0], {.size = 7, .mode = InterpolationMode::linear});
                              },
                              {random_tensor({1, 2, 4})}}};
});

const OpChecks over_channels_checks("over_channels", [] {
  return std::vector<OpCase>{{[](const std::vector<Tensor>& t) {
                                return detail::over_channels(t[0], Tensor::ones({2, 3, 4}));
                              },
                              {random_tensor({3})}}};
});

/// Functions without a gradient.
const std::set<std::string> kNotDifferentiable{"argmax", "is_positive"};

}  // namespace

BOOST_AUTO_TEST_SUITE(op_checks_test)

BOOST_AUTO_TEST_CASE(every_declared_op_has_a_gradient_check_and_every_check_an_op) {
  const std::set<std::string> declared = declared_ops();
  BOOST_TEST(declared.contains("prelu"), "the declarations were not found");
  for (const std::string& op : declared)
    BOOST_TEST(op_checks().contains(op) != kNotDifferentiable.contains(op),
               op << " in core/ops has no gradient check: add an OpChecks in its test file");
  for (const auto& [op, cases] : op_checks())
    BOOST_TEST(declared.contains(op), op << " is not declared in core/ops");
  std::printf("%zu differentiable ops, all with gradient checks\n", op_checks().size());
}

BOOST_AUTO_TEST_CASE(first_and_second_gradients_of_every_op_are_right) {
  for (const auto& [op, groups] : op_checks())
    for (const OpCases& group : groups)
      for (const OpCase& one : group()) {
        BOOST_TEST_CONTEXT(op << " of " << one.inputs.front().shape().str()) {
          check_gradients_twice(one.function, one.inputs);
        }
      }
}

BOOST_AUTO_TEST_CASE(faults_planted_in_every_op_are_caught) {
  for (const auto& [op, groups] : op_checks()) {
    const OpCase first = groups.front()().front();
    int planted = 0;
    for (const Fault fault : kFaults) {
      if (!is_a_fault(first, fault)) continue;
      BOOST_TEST_CONTEXT(op << ", " << name(fault)) {
        check_fault_is_caught(with_fault(first.function, fault), first.inputs);
      }
      ++planted;
    }
    BOOST_TEST(planted > 0, "no fault could be planted in " << op);
  }
}

BOOST_AUTO_TEST_SUITE_END()
