#include <evenkeel/core/build_info.h>
#include <evenkeel/core/kernels/blas.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

using namespace evenkeel;

BOOST_AUTO_TEST_SUITE(build_info_test)

BOOST_AUTO_TEST_CASE(the_vector_width_in_use_and_the_blas_core_are_stated) {
  const std::string info = build_info();
  BOOST_TEST_MESSAGE(info);
  const bool states_width = info.find("128-bit vectors") != info.npos ||
                            info.find("256-bit vectors") != info.npos ||
                            info.find("512-bit vectors") != info.npos;
  BOOST_CHECK_MESSAGE(states_width, info);
  BOOST_CHECK_MESSAGE(info.find("BLAS " EVENKEEL_BLAS " ") != info.npos, info);
  BOOST_CHECK_MESSAGE(info.find(kernels::blas_core()) != info.npos, info);
}

/// ctest runs it once for each level of a portable build, with the loader told what it may choose.
BOOST_AUTO_TEST_CASE(the_loader_takes_the_level_that_it_is_told) {
  const char* level = std::getenv("EVENKEEL_EXPECT_LEVEL");
  if (level == nullptr) {
    BOOST_TEST_MESSAGE("skipped: not run for a level of a portable build");
    return;
  }
  const std::string wanted = level;
  std::string bits = "128-bit vectors";
  if (wanted != "x86-64-v2" && __builtin_cpu_supports("avx2")) bits = "256-bit vectors";
  if (wanted == "x86-64-v4" && __builtin_cpu_supports("avx512vl")) bits = "512-bit vectors";
  BOOST_CHECK_MESSAGE(build_info().find(bits) != std::string::npos,
                      bits << " expected, got " << build_info());
}

BOOST_AUTO_TEST_SUITE_END()
