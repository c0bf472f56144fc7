#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/idx.h>

#include <zlib.h>
#include <boost/test/unit_test.hpp>

#include <bit>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "io/mutations.h"
#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::DType;
using ek::Tensor;
using ek::test::TempFolder;

namespace {

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string header(int type, std::initializer_list<std::uint32_t> sizes) {
  std::string out = bytes_of({0, 0, type, static_cast<int>(sizes.size())});
  for (const std::uint32_t size : sizes) out += big_endian(size, 4);
  return out;
}

std::string gzip(const std::string& bytes) {
  std::string out(bytes.size() + 1000, '\0');
  z_stream stream{};
  BOOST_REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<unsigned>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  BOOST_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Tensor read(const std::string& bytes, DType dtype = DType::f32) {
  static const TempFolder folder;
  ek::test::write_plainly(folder / "a.idx", std::as_bytes(std::span(bytes)));
  return ek::io::read_idx(folder / "a.idx", dtype);
}

std::string error_of(const std::string& bytes) {
  try {
    read(bytes);
  } catch (const ek::FileError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(idx_test)

BOOST_AUTO_TEST_CASE(all_types_are_read_plain_and_compressed) {
  const std::vector<std::pair<std::string, std::vector<double>>> files = {
      {header(0x08, {2}) + bytes_of({1, 255}), {1, 255}},
      {header(0x09, {2}) + bytes_of({1, 255}), {1, -1}},
      {header(0x0b, {2}) + big_endian(258, 2) + big_endian(0xfffe, 2), {258, -2}},
      {header(0x0c, {2}) + big_endian(70000, 4) + big_endian(0xfffffffd, 4), {70000, -3}},
      {header(0x0d, {2}) + big_endian(std::bit_cast<std::uint32_t>(1.5f), 4) +
           big_endian(std::bit_cast<std::uint32_t>(-2.25f), 4),
       {1.5, -2.25}},
      {header(0x0e, {2}) + big_endian(std::bit_cast<std::uint64_t>(0.1), 8) +
           big_endian(std::bit_cast<std::uint64_t>(-3.0), 8),
       {0.1, -3}}};
  for (const auto& [bytes, values] : files)
    for (const std::string& file : {bytes, gzip(bytes)}) {
      BOOST_TEST(read(file, DType::f64).to_vector<double>() == values);
      BOOST_TEST((read(file).dtype() == DType::f32));
    }
  BOOST_TEST(
      (read(files[0].first, DType::i64).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 255}));
  BOOST_CHECK_THROW(read(files[4].first, DType::i64), ek::DTypeError);
}

BOOST_AUTO_TEST_CASE(shapes_are_kept) {
  BOOST_TEST((read(header(8, {2, 3, 1}) + std::string(6, 'x')).shape() == ek::Shape{2, 3, 1}));
  BOOST_TEST((read(header(8, {0, 28, 28})).shape() == ek::Shape{0, 28, 28}));
  BOOST_TEST((read(header(8, {}) + "x").shape() == ek::Shape{}));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_errors) {
  const std::string good = header(8, {2, 2}) + "abcd";
  BOOST_TEST(error_of(good.substr(0, 3)).find("expected an IDX file") != std::string::npos);
  BOOST_TEST(error_of("x" + good).find("expected an IDX file") != std::string::npos);
  BOOST_TEST(error_of(good.substr(0, 9)).find("12 bytes of header") != std::string::npos);
  BOOST_TEST(error_of(good.substr(0, 15)).find("got 3 bytes") != std::string::npos);
  BOOST_TEST(error_of(good + "e").find("got 5 bytes") != std::string::npos);
  BOOST_TEST(error_of(header(0x0a, {1}) + "x").find("expected an IDX type") != std::string::npos);
  const std::string compressed = gzip(good);
  BOOST_TEST(error_of(compressed.substr(0, compressed.size() - 1)).find("cut off") != std::string::npos);
  BOOST_TEST(error_of(compressed + "x").find("1 bytes after it") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(huge_declared_sizes_ask_for_no_memory) {
  ek::reset_peak_memory();
  const std::size_t before = ek::memory_stats().peak_in_use;
  for (const int type : {0x08, 0x0e})
    for (const std::string& file :
         {header(type, {0xffffffff}), header(type, {0x40000000, 2}),
          header(type, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}),
          header(type, {0x80000000, 0x80000000, 4}), header(type, {1, 1, 1, 1, 1, 1, 1, 1, 1})}) {
      BOOST_TEST(error_of(file + "12345678").find("expected the data") != std::string::npos);
      BOOST_TEST(error_of(gzip(file + "12345678")).find("expected the data") != std::string::npos);
    }
  BOOST_TEST(ek::memory_stats().peak_in_use == before);
}

BOOST_AUTO_TEST_CASE(mutated_files_are_read_or_refused) {
  const TempFolder folder;
  ek::test::ByteSource source(1);
  int tried = 0, refused = 0, silent = 0;
  for (const bool compressed : {false, true}) {
    const std::string plain = header(8, {3, 4, 5}) + std::string(60, 'q');
    const std::string file = compressed ? gzip(plain) : plain;
    const auto bytes = std::as_bytes(std::span(file));
    const std::vector<float> values = read(plain).to_vector<float>();
    for (int i = 0; i < 5000; ++i) {
      ek::test::write_plainly(folder / "m", ek::test::mutate({bytes.begin(), bytes.end()}, source));
      ++tried;
      try {
        // Only gzip has a checksum: a changed pixel of a plain file is just another pixel.
        const Tensor got = ek::io::read_idx(folder / "m");
        silent += compressed && got.to_vector<float>() != values;
      } catch (const ek::FileError&) {
        ++refused;
      }
    }
  }
  BOOST_TEST_MESSAGE("mutated IDX files: " << tried << ", refused: " << refused
                                           << ", compressed ones with other values: " << silent);
  BOOST_TEST(silent == 0);
  BOOST_TEST(refused > tried / 2);
}

BOOST_AUTO_TEST_CASE(fashion_mnist_is_read) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!std::filesystem::exists(folder)) {
    BOOST_TEST_MESSAGE("SKIP: the package dataset-fashion-mnist is not installed");
    return;
  }
  const Tensor images = ek::io::read_idx(folder + "t10k-images-idx3-ubyte.gz");
  const Tensor labels = ek::io::read_idx(folder + "t10k-labels-idx1-ubyte.gz", DType::i64);
  BOOST_TEST((images.shape() == ek::Shape{10000, 28, 28}));
  std::vector<int> counts(10);
  for (const std::int64_t label : labels.to_vector<std::int64_t>())
    ++counts.at(static_cast<std::size_t>(label));
  BOOST_TEST(counts == std::vector<int>(10, 1000));
}

BOOST_AUTO_TEST_SUITE_END()
