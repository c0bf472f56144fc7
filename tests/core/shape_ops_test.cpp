#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

OpCase of(const Shape& shape, std::function<Tensor(const Tensor&)> function) {
  return {[=](const std::vector<Tensor>& t) { return function(t[0]); }, {random_tensor(shape)}};
}

const OpChecks reshape_checks("reshape", [] {
  return std::vector<OpCase>{of({2, 6},
                                [](const Tensor& x) {
                                  return x * reshape(x, {2, -1});
                                }),
                             of({3, 5},
                                [](const Tensor& x) {
                                  return reshape(x, {5, 3});
                                }),
                             of({1}, [](const Tensor& x) { return reshape(x, Shape()); }),
                             of({0, 3}, [](const Tensor& x) {
                               return reshape(x, {3, 0});
                             })};
});
const OpChecks flatten_checks("flatten", [] {
  return std::vector<OpCase>{of({2, 3, 2}, [](const Tensor& x) { return flatten(x, 1); }),
                             of({2, 3, 2}, [](const Tensor& x) { return flatten(x); }),
                             of({2, 0, 2}, [](const Tensor& x) { return flatten(x, 1); }),
                             of({}, [](const Tensor& x) { return flatten(x); })};
});
const OpChecks permute_checks("permute", [] {
  return std::vector<OpCase>{of({2, 3, 2},
                                [](const Tensor& x) {
                                  return permute(x, {2, 0, 1});
                                }),
                             of({2, 1, 3, 2},
                                [](const Tensor& x) {
                                  return permute(x, {-1, 1, 0, 2});
                                }),
                             of({3, 0},
                                [](const Tensor& x) {
                                  return permute(x, {1, 0});
                                }),
                             of({}, [](const Tensor& x) { return permute(x, {}); })};
});
const OpChecks transpose_checks("transpose", [] {
  return std::vector<OpCase>{of({3, 4}, [](const Tensor& x) { return transpose(x, 0, 1); }),
                             of({2, 3, 2}, [](const Tensor& x) { return transpose(x, -1, 0); }),
                             of({2, 3}, [](const Tensor& x) { return transpose(x, 1, 1); })};
});
const OpChecks expand_checks("expand", [] {
  return std::vector<OpCase>{of({3, 1},
                                [](const Tensor& x) {
                                  return expand(x, {2, 3, 4});
                                }),
                             of({},
                                [](const Tensor& x) {
                                  return expand(x, {2, 2});
                                }),
                             of({1, 3},
                                [](const Tensor& x) {
                                  return expand(x, {0, 3});
                                }),
                             of({2, 3}, [](const Tensor& x) {
                               return expand(x, {2, 3});
                             })};
});
const OpChecks slice_checks("slice", [] {
  return std::vector<OpCase>{of({5, 3}, [](const Tensor& x) { return slice(x, 0, 1, 4); }),
                             of({2, 7}, [](const Tensor& x) { return slice(x, 1, 1, 7, 2); }),
                             of({7}, [](const Tensor& x) { return slice(x, 0, -3, -1); }),
                             of({3, 4}, [](const Tensor& x) { return slice(x, 1, 2, 2); }),
                             of({3, 4}, [](const Tensor& x) { return slice(x, 1, 2, 100, 3); }),
                             of({0, 4}, [](const Tensor& x) { return slice(x, 0, 0, 1); })};
});

OpCases joined(Tensor (*join)(const std::vector<Tensor>&, int),
               const std::vector<std::pair<std::vector<Shape>, int>>& all) {
  return [=] {
    std::vector<OpCase> cases;
    for (const auto& [shapes, axis] : all) {
      cases.push_back({[=, at = axis](const std::vector<Tensor>& t) { return join(t, at); }, {}});
      for (const Shape& shape : shapes) cases.back().inputs.push_back(random_tensor(shape));
    }
    return cases;
  };
}

const OpChecks cat_checks("cat", joined(cat, {{{{2, 3}, {2, 1}}, 1},
                                              {{{2, 1, 2}, {2, 3, 2}, {2, 2, 2}}, -2},
                                              {{{3}}, 0},
                                              {{{2, 0}, {2, 3}}, 1},
                                              {{{0, 2}, {0, 2}}, 0}}));
const OpChecks stack_checks("stack",
                            joined(stack, {{{{2, 3}, {2, 3}}, 1}, {{{2}, {2}, {2}}, -1}, {{{}, {}}, 0}}));

std::vector<double> counted(std::int64_t count) {
  return Tensor::arange(count, DType::f64).to_vector<double>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shape_ops_test)

BOOST_AUTO_TEST_CASE(reshape_and_slices_of_the_first_axis_share_memory) {
  const Tensor x = Tensor::arange(6, DType::f64);
  BOOST_TEST(reshape(x, {2, 3}).data<double>() == x.data<double>());
  BOOST_TEST(slice(x, 0, 2, 5).data<double>() == x.data<double>() + 2);
  BOOST_TEST(slice(x, 0, 0, 6, 2).data<double>() != x.data<double>());
}

BOOST_AUTO_TEST_CASE(slices_of_slices_find_their_elements) {
  const Tensor x = Tensor::from(counted(24), {4, 6});
  const Tensor rows = slice(x, 0, 1, 3);
  BOOST_TEST(slice(rows, 1, 1, 6, 2).to_vector<double>() == (std::vector<double>{7, 9, 11, 13, 15, 17}),
             boost::test_tools::per_element());
  BOOST_TEST(slice(rows, 0, 1, 2).to_vector<double>() == (std::vector<double>{12, 13, 14, 15, 16, 17}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(slices_out_of_range_are_cut) {
  const Tensor x = Tensor::from(counted(5), {5});
  BOOST_TEST(slice(x, 0, -100, 2).numel() == 2);
  BOOST_TEST(slice(x, 0, 3, 100).numel() == 2);
  BOOST_TEST(slice(x, 0, 4, 2).numel() == 0);
}

BOOST_AUTO_TEST_CASE(integers_can_be_rearranged) {
  const Tensor x = reshape(Tensor::arange(6, DType::i64), {2, 3});
  BOOST_TEST(transpose(x, 0, 1).to_vector<std::int64_t>() == (std::vector<std::int64_t>{0, 3, 1, 4, 2, 5}),
             boost::test_tools::per_element());
  BOOST_TEST(cat({x, x}, 1).shape().str() == "[2, 6]");
}

template <class T>
void check_permute(const Shape& shape, const std::vector<int>& order) {
  std::vector<T> values(static_cast<std::size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), T(0));
  const Tensor y = permute(Tensor::from(values, shape), order);
  std::vector<std::int64_t> at(static_cast<std::size_t>(shape.rank()));
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    std::int64_t rest = i, source = 0;
    for (int axis = y.rank() - 1; axis >= 0; --axis) {
      at[static_cast<std::size_t>(order[static_cast<std::size_t>(axis)])] = rest % y.dim(axis);
      rest /= y.dim(axis);
    }
    for (int axis = 0; axis < shape.rank(); ++axis)
      source = source * shape[axis] + at[static_cast<std::size_t>(axis)];
    BOOST_REQUIRE_EQUAL(y.data<T>()[i], values[static_cast<std::size_t>(source)]);
  }
}

BOOST_AUTO_TEST_CASE(every_order_of_axes_puts_every_element_in_its_place) {
  for (const Shape& shape : {Shape{3, 17, 35}, Shape{70, 1, 130}, Shape{2, 200, 16}, Shape{0, 4, 5}}) {
    std::vector<int> order{0, 1, 2};
    do {
      check_permute<float>(shape, order);
      check_permute<double>(shape, order);
      check_permute<std::int64_t>(shape, order);
    } while (std::next_permutation(order.begin(), order.end()));
  }
  check_permute<float>({2, 20, 9, 33}, {0, 2, 3, 1});
  check_permute<float>({2, 20, 9, 33}, {3, 1, 2, 0});
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const Tensor x = random_tensor({2, 3});
  BOOST_CHECK_THROW(reshape(x, {4, 2}), ShapeError);
  BOOST_CHECK_THROW(reshape(x, {4, -1}), ShapeError);
  BOOST_CHECK_THROW(reshape(x, {-1, -1}), ShapeError);
  BOOST_CHECK_THROW(reshape(x, {0, -1}), ShapeError);
  BOOST_CHECK_THROW(flatten(x, 1, 0), ShapeError);
  BOOST_CHECK_THROW(permute(x, {0, 0}), ShapeError);
  BOOST_CHECK_THROW(permute(x, {0}), ShapeError);
  BOOST_CHECK_THROW(expand(x, {3, 3}), ShapeError);
  BOOST_CHECK_THROW(expand(x, {3}), ShapeError);
  BOOST_CHECK_THROW(slice(x, 2, 0, 1), ShapeError);
  BOOST_CHECK_THROW(slice(x, 0, 0, 1, 0), ShapeError);
  BOOST_CHECK_THROW(cat({}), ShapeError);
  BOOST_CHECK_THROW(cat({x, random_tensor({3, 3})}, 1), ShapeError);
  BOOST_CHECK_THROW(cat({x, random_tensor({2, 3, 1})}), ShapeError);
  BOOST_CHECK_THROW(cat({x, Tensor::ones({2, 3})}), DTypeError);
  BOOST_CHECK_THROW(stack({x, random_tensor({3, 2})}), ShapeError);
  BOOST_CHECK_THROW(stack({x}, 3), ShapeError);
  BOOST_CHECK_THROW(stack({}), ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
