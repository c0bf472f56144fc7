#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>

using namespace evenkeel;

namespace {

auto says(const std::string& part) {
  return [part](const Error& error) { return std::string(error.what()).find(part) != std::string::npos; };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tensor_test)

BOOST_AUTO_TEST_CASE(makers_fill_as_they_say) {
  BOOST_TEST(sum(Tensor::zeros({2, 3})).item() == 0);
  BOOST_TEST(sum(Tensor::ones({2, 3}, DType::f64)).item() == 6);
  BOOST_TEST(Tensor::full({}, 2.5).item() == 2.5);
  BOOST_TEST(
      Tensor::arange(4, DType::i64).to_vector<std::int64_t>() == (std::vector<std::int64_t>{0, 1, 2, 3}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(memory_is_aligned_to_64_bytes) {
  for (const std::int64_t size : {0, 1, 3, 100, 100000})
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(Tensor::empty({size}).data<float>()) % 64 == 0);
}

BOOST_AUTO_TEST_CASE(copies_of_a_handle_share_and_clones_do_not) {
  Tensor a = Tensor::zeros({2});
  const Tensor b = a, c = a.clone(), d = a.detach();
  a.fill_(1);
  BOOST_TEST(b.data<float>()[0] == 1);
  BOOST_TEST(c.data<float>()[0] == 0);
  BOOST_TEST(d.data<float>()[0] == 1);
}

BOOST_AUTO_TEST_CASE(tensors_without_elements_or_axes_work) {
  const Tensor none = Tensor::zeros({2, 0, 3}), scalar = Tensor::full({}, 4);
  BOOST_TEST(none.numel() == 0);
  BOOST_TEST((none + none).shape().str() == "[2, 0, 3]");
  BOOST_TEST(scalar.rank() == 0);
  BOOST_TEST((scalar * scalar).item() == 16);
  BOOST_TEST(none.to_vector<float>().empty());
}

BOOST_AUTO_TEST_CASE(types_convert_there_and_back) {
  const Tensor x = Tensor::from({1.5f, -2.f}, {2});
  BOOST_TEST(x.to(DType::f64).to(DType::f32).to_vector<float>() == x.to_vector<float>(),
             boost::test_tools::per_element());
  BOOST_TEST(x.to(DType::i64).to_vector<std::int64_t>() == (std::vector<std::int64_t>{1, -2}),
             boost::test_tools::per_element());
  BOOST_TEST(x.to(DType::f32).data<float>() == x.data<float>());
}

BOOST_AUTO_TEST_CASE(the_gradient_flows_through_a_conversion) {
  Tensor x = Tensor::from({1.5f, -2.f}, {2}).set_requires_grad();
  sum(x.to(DType::f64) * Tensor::from({2.0, 3.0}, {2})).backward();
  BOOST_TEST(x.grad().to_vector<float>() == (std::vector<float>{2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(reading_as_another_type_is_refused) {
  Tensor x = Tensor::zeros({2});
  BOOST_CHECK_EXCEPTION(x.data<double>(), DTypeError, says("expected f64 data, got f32"));
  BOOST_CHECK_THROW(x.mutable_data<std::int64_t>(), DTypeError);
}

BOOST_AUTO_TEST_CASE(values_must_fill_the_shape) {
  BOOST_CHECK_EXCEPTION(Tensor::from({1.f, 2.f}, {3}), ShapeError,
                        says("expected 3 values for the shape [3], got 2"));
}

BOOST_AUTO_TEST_CASE(item_wants_one_element) {
  BOOST_CHECK_EXCEPTION(Tensor::zeros({2}).item(), ShapeError,
                        says("[item] expected one element, got f32[2]"));
}

BOOST_AUTO_TEST_CASE(an_undefined_tensor_says_so) {
  const Tensor none;
  BOOST_TEST(!none.defined());
  BOOST_TEST(none.str() == "undefined");
  BOOST_CHECK_EXCEPTION(none.shape(), ValueError, says("undefined"));
  BOOST_CHECK_THROW(none + Tensor::ones({1}), Error);
}

BOOST_AUTO_TEST_CASE(copy_converts_and_wants_one_shape) {
  Tensor x = Tensor::zeros({2});
  x.copy_(Tensor::from<std::int64_t>({3, 4}, {2}));
  BOOST_TEST(x.to_vector<float>() == (std::vector<float>{3, 4}), boost::test_tools::per_element());
  BOOST_CHECK_THROW(x.copy_(Tensor::zeros({3})), ShapeError);
}

BOOST_AUTO_TEST_CASE(set_data_changes_all_handles) {
  Tensor x = Tensor::zeros({2});
  const Tensor same = x;
  x.set_data(Tensor::ones({3}, DType::f64));
  BOOST_TEST(same.numel() == 3);
  BOOST_TEST((same.dtype() == DType::f64));
}

BOOST_AUTO_TEST_CASE(text_shows_type_shape_and_values) {
  BOOST_TEST(Tensor::from({1.5f, 2.f}, {2}).str() == "f32[2] {1.5, 2}");
  BOOST_TEST(Tensor::zeros({20}, DType::i64).str().find("…") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shapes_refuse_what_is_no_size) {
  BOOST_CHECK_THROW(Tensor::zeros({-1}), ShapeError);
  BOOST_CHECK_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  BOOST_CHECK_THROW(Shape({2, 3}).dim(2), ShapeError);
  BOOST_CHECK_THROW(Shape({2, 3}).dim(-3), ShapeError);
  BOOST_TEST(Shape({2, 3}).dim(-1) == 3);
}

BOOST_AUTO_TEST_CASE(huge_shapes_neither_wrap_nor_crash) {
  const std::int64_t big = std::int64_t{1} << 32;
  BOOST_CHECK_THROW(Tensor::empty({big, big}), ShapeError);
  BOOST_CHECK_THROW(Tensor::empty({big, big, 4}), ShapeError);
  BOOST_TEST(Shape({big, big, 0}).numel() == 0);
  BOOST_CHECK_THROW(Tensor::empty({std::int64_t{1} << 62}), MemoryError);
  BOOST_CHECK_THROW(Tensor::empty({std::int64_t{1} << 62}, DType::f64), MemoryError);
  BOOST_CHECK_THROW(Tensor::empty({std::int64_t{1} << 45}), MemoryError);
  BOOST_CHECK_THROW(expand(Tensor::ones({1}), {big, big}), ShapeError);
}

BOOST_AUTO_TEST_SUITE_END()
