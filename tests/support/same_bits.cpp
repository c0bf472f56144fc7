#include "support/same_bits.h"

#include <evenkeel/core/parallel.h>

#include <boost/test/unit_test.hpp>

#include <cstring>

namespace evenkeel::test {

namespace {

const void* bytes(const Tensor& t) {
  return static_cast<const std::byte*>(t.impl_ptr()->storage->data) + t.impl_ptr()->byte_offset;
}

}  // namespace

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(bytes(a), bytes(b), static_cast<std::size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

void check_same_at_any_thread_count(const std::string& what,
                                    const std::function<std::vector<Tensor>()>& function,
                                    std::initializer_list<int> thread_counts) {
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<Tensor> expected = function();
  for (const int threads : thread_counts) {
    set_num_threads(threads);
    const std::vector<Tensor> got = function();
    BOOST_REQUIRE_EQUAL(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      BOOST_TEST(same_bits(got[i], expected[i]),
                 what << " at " << threads << " threads, result " << i << " " << got[i].shape().str());
  }
  set_num_threads(before);
}

}  // namespace evenkeel::test
