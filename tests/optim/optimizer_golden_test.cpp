#include "support/optim_golden.h"

#include <boost/test/unit_test.hpp>

namespace evenkeel {
namespace {

using test::GoldenCase;

/// Makes the optimiser with the first group's options and adds the others with theirs.
template <class O, class Options>
void run_case(const GoldenCase& golden) {
  test::ParameterBag bag;
  std::map<std::string, nn::NamedParameter> by_name;
  for (const char* name : {"p0", "p1"}) by_name[name] = {name, bag.put(name, golden.get(name))};
  std::unique_ptr<O> optimizer;
  for (const nlohmann::json& group : golden.options.at("groups")) {
    optim::ParamGroup parameters;
    for (const std::string name : group.at("params")) parameters.parameters.push_back(by_name.at(name));
    const Options options = test::read(Options{}, group);
    if (optimizer)
      optimizer->add_param_group(parameters, options);
    else
      optimizer = std::make_unique<O>(parameters, options);
  }
  test::run_golden_steps(golden, bag, *optimizer, 1e-10);
}

BOOST_AUTO_TEST_SUITE(optimizer_golden_test)

BOOST_AUTO_TEST_CASE(a_hundred_steps_agree_with_pytorch) {
  int cases = 0;
  for (const GoldenCase& golden : test::read_golden("optim.h5")) {
    if (golden.op == "sgd") run_case<optim::SGD, optim::SGDOptions>(golden);
    if (golden.op == "adam") run_case<optim::Adam, optim::AdamOptions>(golden);
    if (golden.op == "adamw") run_case<optim::AdamW, optim::AdamWOptions>(golden);
    cases += golden.op == "sgd" || golden.op == "adam" || golden.op == "adamw";
  }
  BOOST_TEST(cases == 28);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace evenkeel
