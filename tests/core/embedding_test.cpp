#include "support/check_gradients.h"
#include "support/op_checks.h"

#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>

#include <boost/test/unit_test.hpp>

using namespace evenkeel;
using namespace evenkeel::test;

namespace {

const OpChecks embedding_checks("embedding", [] {
  std::vector<OpCase> cases;
  for (const Tensor& indices :
       {Tensor::from<std::int64_t>({2, 0, 2}, {3}), Tensor::from<std::int64_t>({1}, {}),
        Tensor::zeros({2, 2}, DType::i64), Tensor::zeros({0}, DType::i64)})
    cases.push_back(
        {[=](const std::vector<Tensor>& t) { return embedding(indices, t[0]); }, {random_tensor({3, 2})}});
  return cases;
});

}  // namespace

BOOST_AUTO_TEST_SUITE(embedding_test)

BOOST_AUTO_TEST_CASE(rows_are_picked_by_index) {
  const Tensor weight = Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 2});
  const Tensor y = embedding(Tensor::from<std::int64_t>({1, 1, 0}, {3}), weight);
  BOOST_TEST(y.to_vector<double>() == (std::vector<double>{3, 4, 3, 4, 1, 2}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_index_that_is_no_row_is_named) {
  BOOST_CHECK_EXCEPTION(embedding(Tensor::from<std::int64_t>({0, 5}, {2}), random_tensor({3, 2})), ValueError,
                        [](const ValueError& e) {
                          return std::string(e.what()) ==
                                 "[embedding] expected indices from 0 to 2, got 5 at element 1";
                        });
  BOOST_CHECK_THROW(embedding(Tensor::from<std::int64_t>({-1}, {1}), random_tensor({3, 2})), ValueError);
  BOOST_CHECK_THROW(embedding(random_tensor({2}), random_tensor({3, 2})), DTypeError);
  BOOST_CHECK_THROW(embedding(Tensor::zeros({1}, DType::i64), random_tensor({3})), ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
