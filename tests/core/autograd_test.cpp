#include "support/check_gradients.h"

#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <thread>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

Tensor leaf(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}).set_requires_grad();
}

void check_values(const Tensor& got, const std::vector<double>& expected) {
  BOOST_REQUIRE(got.defined());
  BOOST_TEST(got.to_vector<double>() == expected, boost::test_tools::per_element());
}

/// Predicate for BOOST_CHECK_EXCEPTION: the text has all the parts.
auto says(std::initializer_list<const char*> parts) {
  return [parts = std::vector<std::string>(parts.begin(), parts.end())](const Error& error) {
    for (const std::string& part : parts)
      if (std::string(error.what()).find(part) == std::string::npos) {
        BOOST_TEST_MESSAGE(error.what());
        return false;
      }
    return true;
  };
}

/// x² with a gradient but none of that, as a kernel-backed op would have it.
Tensor square_once(const Tensor& x) {
  Tensor out = (x * x).detach();
  return record("square_once", {x}, out, [saved = Saved(x)](const Tensor& gy, Grads& grads) {
    auto [gx, beta] = grads.into(0);
    const Tensor value = 2 * (gy * saved.get(grads));
    if (beta == 0) gx.fill_(0);
    detail::accumulate(gx, value);
  });
}

void write(const Grads::Into& to, double value) {
  Tensor gradient = to.gradient;
  for (double *at = gradient.mutable_data<double>(), *end = at + gradient.numel(); at != end; ++at)
    *at = (to.beta == 0 ? 0 : *at) + value;
}

/// a + 10·b + 100·c, whose backward asks for all memory first and writes the last input's first.
Tensor weigh(const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor out = (a + 10 * b + 100 * c).detach();
  return record("weigh", {a, b, c}, out, [](const Tensor&, Grads& grads) {
    const Grads::Into to_a = grads.into(0), to_b = grads.into(1);
    const Grads::Into to_a_again = grads.into(0);
    grads.add(2, Tensor::full(to_a.gradient.shape(), 100, DType::f64));
    write(to_b, 10);
    write(to_a_again, 0.25);
    write(to_a, 0.75);
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autograd_test)

BOOST_AUTO_TEST_CASE(backward_accumulates_and_zero_grad_forgets) {
  Tensor x = leaf({1, 2});
  sum(x * x).backward();
  check_values(x.grad(), {2, 4});
  sum(x * x).backward();
  check_values(x.grad(), {4, 8});
  x.zero_grad();
  BOOST_TEST(!x.grad().defined());
  sum(x).backward();
  check_values(x.grad(), {1, 1});
}

BOOST_AUTO_TEST_CASE(a_gradient_that_was_handed_out_is_not_changed_by_other_leaves) {
  Tensor a = leaf({1}), b = leaf({1});
  (a + b).backward();
  a.grad().fill_(7);
  check_values(b.grad(), {1});
}

BOOST_AUTO_TEST_CASE(a_gradient_that_was_passed_in_is_not_changed_by_the_leaf) {
  Tensor x = leaf({1, 2});
  const Tensor seed = Tensor::ones({2}, DType::f64);
  (x + 0.0).backward(seed);
  (x + 0.0).backward(seed);
  check_values(x.grad(), {2, 2});
  check_values(seed, {1, 1});
}

BOOST_AUTO_TEST_CASE(shared_parts_of_a_graph_are_visited_once_with_all_their_gradients) {
  Tensor x = leaf({3});
  int visits = 0;
  Tensor shared = x * x;
  shared.register_hook([&](const Tensor& gradient) {
    ++visits;
    check_values(gradient, {1 + 2 * 9});
    return Tensor();
  });
  (shared + shared * shared).backward();
  BOOST_TEST(visits == 1);
  check_values(x.grad(), {19 * 6});
}

BOOST_AUTO_TEST_CASE(one_tensor_as_both_inputs_gets_both_gradients) {
  Tensor x = leaf({3});
  (x / x + x - x).backward();
  check_values(x.grad(), {0});
}

BOOST_AUTO_TEST_CASE(memory_for_two_gradients_of_one_tensor_may_be_written_in_any_order) {
  for (const bool is_leaf : {true, false})
    for (const bool has_more : {false, true}) {
      Tensor x = leaf({1, 2}), y = leaf({3, 4});
      const auto inner = [&](const Tensor& t) { return is_leaf ? t : 1 * t; };
      const Tensor p = inner(x), q = inner(y);
      const Tensor more = has_more ? 1000 * p : 0 * q;
      sum(weigh(p, p, p) + more).backward({}, {.retain_graph = true});
      const double rest = has_more ? 1000 : 0;
      check_values(x.grad(), {111 + rest, 111 + rest});
      x.zero_grad();
      y.zero_grad();
      sum(weigh(q, p, q) + weigh(p, q, q)).backward();
      check_values(x.grad(), {11, 11});
      check_values(y.grad(), {211, 211});
    }
}

BOOST_AUTO_TEST_CASE(a_graph_can_be_used_twice_only_if_it_is_retained) {
  Tensor x = leaf({3});
  const Tensor y = exp(x) * x;
  y.backward({}, {.retain_graph = true});
  const double once = x.grad().item();
  y.backward();
  BOOST_TEST(x.grad().item() == 2 * once);
  BOOST_CHECK_EXCEPTION(y.backward(), GradError, says({"[mul]", "freed", "retain_graph"}));
  BOOST_CHECK_EXCEPTION((y * x).backward(), GradError, says({"[mul]", "freed"}));
}

BOOST_AUTO_TEST_CASE(an_input_changed_in_place_is_noticed) {
  Tensor x = leaf({3}), w = leaf({2});
  const Tensor y = x * w;
  w.fill_(5);
  BOOST_CHECK_EXCEPTION(y.backward(), GradError, says({"[mul]", "input", "in place"}));
  Tensor hidden = x * 2.0;
  const Tensor out = exp(hidden);
  Tensor(out).fill_(1);
  BOOST_CHECK_EXCEPTION(out.backward(), GradError, says({"[exp]", "output", "in place"}));
}

BOOST_AUTO_TEST_CASE(what_an_op_does_not_read_may_be_changed) {
  Tensor x = leaf({3});
  Tensor y = x + 1;
  const Tensor z = y * 2.0;
  y.fill_(0);
  z.backward();
  check_values(x.grad(), {2});
}

BOOST_AUTO_TEST_CASE(no_grad_scopes_record_nothing_and_nest) {
  Tensor x = leaf({3});
  {
    const NoGradScope no_grad;
    BOOST_TEST(!grad_enabled());
    BOOST_TEST(!(x * x).requires_grad());
    {
      const EnableGradScope enable;
      BOOST_TEST((x * x).requires_grad());
    }
    BOOST_TEST(!grad_enabled());
  }
  BOOST_TEST((x * x).requires_grad());
}

BOOST_AUTO_TEST_CASE(detach_cuts_the_graph_and_shares_memory) {
  Tensor x = leaf({3});
  const Tensor y = x * 2.0, cut = y.detach();
  BOOST_TEST(cut.data<double>() == y.data<double>());
  (y * cut).backward();
  check_values(x.grad(), {12});
}

BOOST_AUTO_TEST_CASE(hooks_see_and_replace_gradients) {
  Tensor x = leaf({3});
  x.register_hook([](const Tensor& gradient) { return gradient * 10; });
  x.register_hook([](const Tensor& gradient) { return gradient + 1; });
  Tensor y = x * 2.0;
  y.register_hook([](const Tensor& gradient) { return -gradient; });
  y.backward();
  check_values(x.grad(), {-19});
}

BOOST_AUTO_TEST_CASE(a_retained_gradient_is_kept) {
  Tensor x = leaf({3}), y = x * x;
  y.retain_grad();
  (y * 5.0).backward();
  check_values(y.grad(), {5});
}

BOOST_AUTO_TEST_CASE(inputs_that_need_no_gradient_get_none) {
  Tensor x = leaf({3});
  const Tensor constant = Tensor::from({4.0}, {1});
  (x * constant).backward();
  BOOST_TEST(!constant.grad().defined());
  check_values(x.grad(), {4});
}

BOOST_AUTO_TEST_CASE(backward_needs_a_graph_and_one_element_or_a_gradient) {
  Tensor x = leaf({1, 2});
  BOOST_CHECK_EXCEPTION((x * x).backward(), GradError, says({"one element", "[2]"}));
  BOOST_CHECK_THROW(Tensor::ones({1}).backward(), GradError);
  BOOST_CHECK_THROW((x * x).backward(Tensor::ones({3}, DType::f64)), GradError);
  BOOST_CHECK_THROW((x * x).backward(Tensor::ones({2}, DType::f32)), GradError);
  BOOST_CHECK_THROW(Tensor::arange(2, DType::i64).set_requires_grad(), GradError);
  BOOST_CHECK_THROW(Tensor(x * x).set_requires_grad(), GradError);
  (x * x).backward(Tensor::from({1.0, 10.0}, {2}));
  check_values(x.grad(), {2, 40});
}

BOOST_AUTO_TEST_CASE(grad_returns_gradients_and_touches_none) {
  Tensor x = leaf({3}), unused = leaf({1});
  const Tensor y = x * x;
  const std::vector<Tensor> gradients = grad({y * y}, {x, y, unused});
  check_values(gradients[0], {4 * 27});
  check_values(gradients[1], {18});
  BOOST_TEST(!gradients[2].defined());
  BOOST_TEST(!x.grad().defined());
  BOOST_CHECK_THROW(grad({x * x}, {Tensor::ones({1})}), GradError);
  BOOST_CHECK_THROW(grad({x * x}, {x}, {Tensor::ones({1}), Tensor::ones({1})}), GradError);
}

BOOST_AUTO_TEST_CASE(grad_of_several_outputs_is_the_sum) {
  Tensor x = leaf({3});
  const Tensor y = x * x;
  check_values(grad({y, y, x * 1.0}, {x})[0], {13});
}

BOOST_AUTO_TEST_CASE(create_graph_gives_gradients_of_gradients) {
  Tensor x = leaf({2});
  const Tensor first = grad({x * x * x}, {x}, {}, {.create_graph = true})[0];
  check_values(first, {12});
  const Tensor second = grad({first}, {x}, {}, {.create_graph = true})[0];
  check_values(second, {12});
  check_values(grad({second}, {x})[0], {6});
}

BOOST_AUTO_TEST_CASE(a_penalty_on_the_gradient_trains_through_backward) {
  Tensor x = leaf({2});
  const Tensor slope = grad({exp(x)}, {x}, {}, {.create_graph = true})[0];
  (slope * slope).backward();
  BOOST_TEST(x.grad().item() == 2 * std::exp(4.0), boost::test_tools::tolerance(1e-14));
}

BOOST_AUTO_TEST_CASE(an_op_without_double_backward_says_so) {
  Tensor x = leaf({2});
  check_gradients([](const std::vector<Tensor>& t) { return square_once(t[0]); }, {random_tensor({3})});
  BOOST_CHECK_EXCEPTION(grad({square_once(x)}, {x}, {}, {.create_graph = true}), GradError,
                        says({"[square_once]", "double backward"}));
}

BOOST_AUTO_TEST_CASE(a_backward_of_the_wrong_shape_is_named) {
  Tensor x = leaf({2});
  const Tensor y = record("crooked", {x}, x.clone(),
                          [](const Tensor&, Grads& grads) { grads.add(0, Tensor::ones({3}, DType::f64)); });
  BOOST_CHECK_EXCEPTION(y.backward(), GradError, says({"[crooked]", "[1]", "[3]"}));
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_op_and_layer_of_the_first_nan) {
  const std::string outer = "block", inner = "conv1";
  Tensor x = leaf({-1}), zero = leaf({0});
  const AnomalyScope anomaly;
  {
    const detail::LayerPathScope block(outer), layer(inner);
    BOOST_CHECK_EXCEPTION(log(x), ValueError, says({"[log]", "output", "block.conv1"}));
  }
  Tensor y;
  {
    const detail::LayerPathScope block(outer), layer(inner);
    y = sqrt(zero);
  }
  BOOST_CHECK_EXCEPTION((y * 2.0).backward(), ValueError, says({"[sqrt]", "backward", "block.conv1"}));
}

BOOST_AUTO_TEST_CASE(without_anomaly_mode_a_nan_passes) {
  Tensor x = leaf({-1});
  log(x).backward();
  BOOST_TEST(x.grad().item() == -1);
}

BOOST_AUTO_TEST_CASE(a_chain_of_a_million_ops_is_differentiated_and_freed) {
  const std::size_t before = memory_stats().in_use;
  {
    Tensor x = leaf({1});
    Tensor y = x * 1.0;
    for (int i = 1; i < 1000000; ++i) y = y + 1e-6;
    y.backward();
    check_values(x.grad(), {1});
  }
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_CASE(a_chain_that_is_never_differentiated_is_freed_without_recursion) {
  const std::size_t before = memory_stats().in_use;
  {
    Tensor x = leaf({1}), w = leaf({1});
    Tensor y = x * w;
    for (int i = 1; i < 300000; ++i) y = sigmoid(y * w) + exp(y * 1e-9);  // saves inputs and outputs
  }
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_CASE(a_wide_diamond_is_summed) {
  const std::size_t before = memory_stats().in_use;
  {
    constexpr int kWidth = 50000;
    Tensor x = leaf({1});
    const Tensor top = x * 1.0;
    std::vector<Tensor> branches;
    for (int i = 0; i < kWidth; ++i) branches.push_back(top * 2.0);
    sum(cat(branches)).backward();
    check_values(x.grad(), {2.0 * kWidth});
  }
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_CASE(a_ladder_of_diamonds_takes_linear_time) {
  Tensor x = leaf({1});
  Tensor y = x * 1.0;
  for (int i = 0; i < 2000; ++i) y = 0.5 * (y + y * 1.0);  // 2^2000 paths
  y.backward();
  check_values(x.grad(), {1});
}

BOOST_AUTO_TEST_CASE(graphs_on_two_threads_may_share_parameters) {
  Tensor weight = leaf({1, 2, 3});
  const auto work = [&] {
    for (int i = 0; i < 500; ++i) sum(weight * weight * 2.0).backward();
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
  check_values(weight.grad(), {4000, 8000, 12000});
}

BOOST_AUTO_TEST_CASE(a_hook_may_run_a_backward_of_its_own) {
  Tensor x = leaf({3}), z = leaf({5});
  Tensor y = x * x;
  y.register_hook([&](const Tensor&) {
    const EnableGradScope enable;
    (z * z).backward();
    return Tensor();
  });
  y.backward();
  check_values(x.grad(), {6});
  check_values(z.grad(), {10});
}

BOOST_AUTO_TEST_CASE(a_hook_may_differentiate_the_graph_it_stands_in) {
  Tensor x = leaf({3});
  const Tensor y = x * x;
  Tensor z = y * y;
  double inner = 0;
  z.register_hook([&](const Tensor&) {
    inner = grad({y}, {x}, {}, {.retain_graph = true})[0].item();
    return Tensor();
  });
  z.backward();
  BOOST_TEST(inner == 6);
  check_values(x.grad(), {108});
}

BOOST_AUTO_TEST_CASE(an_error_in_a_backward_leaves_no_memory_behind) {
  const std::size_t before = memory_stats().in_use;
  {
    Tensor x = leaf({3});
    const Tensor y = record("broken", {x}, x.clone(),
                            [](const Tensor&, Grads&) { throw ValueError("[broken] by design"); });
    BOOST_CHECK_THROW(exp(y * x).backward(), ValueError);
  }
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_CASE(training_steps_do_not_leak) {
  Rng rng(1);
  Tensor weight = Tensor::randn({4, 8}, rng).set_requires_grad();
  const Tensor x = Tensor::randn({16, 8}, rng);
  const auto step = [&] {
    mean(silu(linear(x, weight)) * relu(linear(x, weight))).backward();
    weight.zero_grad();
  };
  step();
  const std::size_t before = memory_stats().in_use;
  for (int i = 0; i < 100; ++i) step();
  BOOST_TEST(memory_stats().in_use == before);
}

BOOST_AUTO_TEST_CASE(a_backward_frees_what_it_has_used) {
  constexpr std::size_t kBytes = 1 << 20;
  Tensor x = Tensor::ones({kBytes / 4}).set_requires_grad();
  Tensor y = x * 1.0;
  for (int i = 0; i < 20; ++i) y = sigmoid(y);
  const Tensor loss = sum(y);
  y = Tensor();
  const std::size_t before = memory_stats().in_use;
  reset_peak_memory();
  loss.backward();
  BOOST_TEST(memory_stats().peak_in_use < before + 4 * kBytes);
  BOOST_TEST(memory_stats().in_use < before - 15 * kBytes);
}

BOOST_AUTO_TEST_SUITE_END()
