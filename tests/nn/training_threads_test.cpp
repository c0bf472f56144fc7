// The same bits at any number of threads, and from run to run, after fifty steps of training.

#include "support/declared.h"
#include "support/function_cases.h"
#include "support/same_bits.h"
#include "support/training_cases.h"

#include <evenkeel/core/ops/loss.h>
#include <evenkeel/core/random.h>
#include <evenkeel/optim/clip.h>
#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

/// All that the next step would depend on, parameters, buffers and the optimiser's state, and the norms that
/// gradients were clipped by.
std::vector<Tensor> trained(const NetCase& one, const OptimiserCase& optimiser_case) {
  Rng rng(11);
  const std::unique_ptr<nn::Module> net = one.make(rng);
  const auto optimiser = optimiser_case.make(net->named_parameters());
  const Tensor labels = mixed_indices({one.input[0]}, 5);
  std::vector<double> norms;
  for (int step = 0; step < 50; ++step) {
    const Tensor x = Tensor::randn(one.input, rng);
    cross_entropy((*net)(x), labels, {.label_smoothing = 0.1}).backward();
    optim::clip_grad_value_(net->parameters(), 0.1);
    norms.push_back(optim::clip_grad_norm_(net->parameters(), 1.0, step % 2 == 0 ? 2 : 3));
    optimiser->step();
  }
  std::vector<Tensor> all{Tensor::from(norms, {50})};
  for (const nn::Parameter& parameter : net->parameters()) all.push_back(parameter);
  for (const nn::NamedBuffer& buffer : net->named_buffers()) all.push_back(buffer.tensor);
  for (const auto& [name, tensor] : optimiser->state()) all.push_back(tensor);
  return all;
}

void check_training(const NetCase& net, const OptimiserCase& optimiser) {
  check_same_at_any_thread_count(net.name + ", " + optimiser.name, [&] { return trained(net, optimiser); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(training_threads_test)

BOOST_AUTO_TEST_CASE(every_optimiser_has_a_case) {
  std::set<std::string> covered;
  for (const OptimiserCase& one : optimiser_cases()) covered.insert(one.name.substr(0, one.name.find(' ')));
  std::set<std::string> declared = declared_classes("optim");
  BOOST_TEST(declared.erase("ParamGroups") == 1u, "the declarations were not found");
  BOOST_TEST(covered == declared, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(fifty_steps_with_every_optimiser_give_the_same_bits_at_any_thread_count) {
  for (const OptimiserCase& one : optimiser_cases()) check_training(small_net(), one);
}

BOOST_AUTO_TEST_CASE(fifty_steps_of_a_wide_net_give_the_same_bits_at_any_thread_count) {
  for (const OptimiserCase& one : optimiser_cases())
    if (one.name == "AdamW") check_training(wide_net(), one);
}

BOOST_AUTO_TEST_CASE(fifty_steps_of_a_unit_scaled_net_give_the_same_bits_at_any_thread_count) {
  for (const OptimiserCase& one : mup_cases()) check_training(unit_scaled_net(), one);
}

BOOST_AUTO_TEST_SUITE_END()
