#include <evenkeel/core/error.h>
#include <evenkeel/core/random.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/npy.h>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "io/mutations.h"
#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::DType;
using ek::Shape;
using ek::Tensor;
using ek::test::TempFolder;

namespace {

std::string file(const std::string& dict, const std::string& data, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  const std::string text = dict + "\n";
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) out += static_cast<char>(text.size() >> (8 * i));
  return out + text + data;
}

std::string dict(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

Tensor read(const std::string& bytes) {
  static const TempFolder folder;
  ek::test::write_plainly(folder / "a.npy", std::as_bytes(std::span(bytes)));
  return ek::io::read_npy(folder / "a.npy");
}

bool is_refused(const std::string& bytes, const std::string& part) {
  try {
    read(bytes);
  } catch (const ek::FileError& error) {
    if (std::string(error.what()).find(part) != std::string::npos) return true;
    BOOST_TEST_MESSAGE(error.what());
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npy_test)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  const TempFolder folder;
  ek::Rng rng(1);
  for (const DType dtype : {DType::f32, DType::f64, DType::i64})
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{2, 1, 3, 1, 2, 1, 1, 2}}) {
      const Tensor tensor = Tensor::uniform(shape, -100, 100, rng, DType::f64).to(dtype);
      ek::io::write_npy(folder / "a.npy", tensor);
      const Tensor got = ek::io::read_npy(folder / "a.npy");
      BOOST_TEST((got.shape() == shape && got.dtype() == dtype));
      BOOST_TEST(got.to(DType::f64).to_vector<double>() == tensor.to(DType::f64).to_vector<double>());
    }
}

BOOST_AUTO_TEST_CASE(files_of_numpy_are_read_and_ours_are_read_by_numpy) {
  const char* given = std::getenv("EVENKEEL_PYTHON");
  const std::string python = given == nullptr ? "/usr/bin/python3" : given;
  if (std::system((python + " -c 'import numpy' 2>/dev/null").c_str()) != 0) {
    BOOST_TEST_MESSAGE("SKIP: " << python << " has no numpy (EVENKEEL_PYTHON names another Python)");
    return;
  }
  const TempFolder folder;
  ek::io::write_npy(folder / "ours.npy", Tensor::from({1.5f, -2.0f, 3.0f, 0.25f, 7.0f, 9.0f}, {2, 3}));
  const std::string script =
      "import numpy as np, sys\n"
      "a = np.load(sys.argv[1] + '/ours.npy')\n"
      "assert a.dtype == np.float32 and a.tolist() == [[1.5, -2, 3], [.25, 7, 9]], a\n"
      "for t in ('u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'i8', 'f4', 'f8', '>i2', '>f8', '?'):\n"
      "    np.save(sys.argv[1] + '/' + t.replace('>', 'b') + '.npy', (a > 2).astype(t))\n"
      "np.save(sys.argv[1] + '/fortran.npy', np.asfortranarray(a))\n"
      "np.save(sys.argv[1] + '/object.npy', np.array([{}, 1], dtype=object), allow_pickle=True)\n";
  ek::io::write_file_atomically(folder / "script.py", std::as_bytes(std::span(script)));
  BOOST_REQUIRE(std::system((python + " " + (folder / "script.py") + " " + folder.path().string()).c_str()) ==
                0);
  for (const char* type : {"u1", "i1", "u2", "i2", "u4", "i4", "i8", "f4", "f8", "bi2", "bf8", "?"}) {
    const Tensor got = ek::io::read_npy(folder / (std::string(type) + ".npy"));
    BOOST_TEST((got.to(DType::f64).to_vector<double>() == std::vector<double>{0, 0, 1, 0, 1, 1}), type);
    BOOST_TEST((got.shape() == Shape{2, 3}));
  }
  BOOST_CHECK_THROW(ek::io::read_npy(folder / "fortran.npy"), ek::FileError);
  BOOST_CHECK_THROW(ek::io::read_npy(folder / "object.npy"), ek::FileError);
}

BOOST_AUTO_TEST_CASE(headers_in_any_spelling_are_read) {
  const std::string two(8, '\0');
  for (const int version : {1, 2, 3})
    BOOST_TEST((read(file(dict("<f4", "(2,)"), two, version)).shape() == Shape{2}));
  BOOST_TEST((read(file("{\"shape\":(1,2),\"descr\":\"<i4\",\"fortran_order\":False}", two)).shape() ==
              Shape{1, 2}));
}

BOOST_AUTO_TEST_CASE(files_that_are_not_what_they_say_are_refused) {
  const std::string two(8, '\0');
  BOOST_TEST(is_refused("", "expected a .npy file"));
  BOOST_TEST(is_refused("PK\3\4 and so on, a zip file", "expected a .npy file"));
  BOOST_TEST(is_refused(file(dict("<f4", "(2,)"), two, 4), "version 1 to 3"));
  BOOST_TEST(is_refused(file(dict("<f4", "(2,)"), two).substr(0, 40), "bytes of header"));
  BOOST_TEST(is_refused(file(dict("<f4", "(2,)", "True"), two), "Fortran"));
  for (const char* descr : {"|O", "<f2", "<u8", "<c8", "<U4", "f4", "", "<"})
    BOOST_TEST(is_refused(file(dict(descr, "(2,)"), two), "numbers of up to 64 bits"), descr);
  for (const char* shape : {"(3,)", "(1,)", "()", "(99999999999,)", "(4294967296, 4294967296, 4294967296)",
                            "(1, 1, 1, 1, 1, 1, 1, 1, 2)"})
    BOOST_TEST(is_refused(file(dict("<f4", shape), two), "expected the data of the shape"), shape);
  for (const char* text :
       {"", "{", "{}", "{'descr': '<f4'}", "[1]", "{'descr': '<f4', 'fortran_order': No, 'shape': (2,)}"})
    BOOST_TEST(is_refused(file(text, two), "expected a header"), text);
  for (const char* shape : {"(-2,)", "2", "(2", "(2;)", "(,)", "(2L,)", "(99999999999999999999,)"})
    BOOST_TEST(is_refused(file(dict("<f4", shape), two), "expected a header"), shape);
  BOOST_TEST(is_refused(file(dict("<f4", "(2,)") + " x", two), "expected a header"));
  BOOST_TEST(is_refused(file("{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", two), "expected a header"));
}

BOOST_AUTO_TEST_CASE(mutated_files_are_read_or_refused) {
  const TempFolder folder;
  ek::test::ByteSource source(2);
  const std::string good = file(dict("<f4", "(2, 3)"), std::string(24, 'q'));
  const auto bytes = std::as_bytes(std::span(good));
  int tried = 0, refused = 0;
  for (int i = 0; i < 10000; ++i) {
    ek::test::write_plainly(folder / "m", ek::test::mutate({bytes.begin(), bytes.end()}, source));
    ++tried;
    try {
      ek::io::read_npy(folder / "m");
    } catch (const ek::FileError&) {
      ++refused;
    }
  }
  BOOST_TEST_MESSAGE("mutated .npy files: " << tried << ", refused: " << refused);
  BOOST_TEST(refused > tried / 2);
}

BOOST_AUTO_TEST_SUITE_END()
