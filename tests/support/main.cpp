#define BOOST_TEST_MODULE evenkeel
#include <boost/test/unit_test.hpp>
