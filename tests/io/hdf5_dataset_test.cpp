#include <evenkeel/core/error.h>
#include <evenkeel/io/hdf5.h>
#include <evenkeel/io/hdf5_dataset.h>
#include <evenkeel/io/loader.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/linear.h>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::DType;
using ek::Shape;
using ek::Tensor;
using ek::io::Batch;
using ek::io::DataLoader;
using ek::io::Hdf5Dataset;
using ek::io::Hdf5DatasetOptions;
using ek::io::detail::Hdf5Id;
using ek::test::TempFolder;

namespace {

using Numbers = std::vector<std::int64_t>;

/// An HDF5 file on the disk, as another program writes it.
class File {
 public:
  explicit File(const std::string& path)
      : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose) {}

  /// Values 0, 1, 2 … in chunks of `chunk_rows` rows, deflated; contiguous if 0.
  void counting(const std::string& name, const std::vector<hsize_t>& sizes, hid_t type,
                hsize_t chunk_rows = 0) {
    const Hdf5Id create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (chunk_rows > 0) {
      std::vector<hsize_t> chunk = sizes;
      chunk[0] = chunk_rows;
      H5Pset_chunk(create, static_cast<int>(chunk.size()), chunk.data());
      H5Pset_deflate(create, 1);
    }
    hsize_t count = 1;
    for (const hsize_t size : sizes) count *= size;
    std::vector<std::int64_t> values(count);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
    const Hdf5Id dataset = add(name, sizes, type, create);
    BOOST_REQUIRE(H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  }
  Hdf5Id add(const std::string& name, const std::vector<hsize_t>& sizes, hid_t type,
             hid_t create = H5P_DEFAULT) {
    const Hdf5Id space(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), H5Sclose);
    return {H5Dcreate2(id_, name.c_str(), type, space, H5P_DEFAULT, create, H5P_DEFAULT), H5Dclose};
  }
  hid_t id() const { return id_; }

 private:
  Hdf5Id id_;
};

/// 23 samples [2, 3] of counted numbers, and targets 0 … 22.
std::string counting_file(const TempFolder& folder, hsize_t chunk_rows = 0, hid_t inputs = H5T_IEEE_F32LE,
                          hid_t targets = H5T_STD_I64LE) {
  const std::string path = folder / "data.h5";
  File file(path);
  file.counting("inputs", {23, 2, 3}, inputs, chunk_rows);
  file.counting("labels", {23}, targets, chunk_rows);
  return path;
}

const Hdf5DatasetOptions kWithTargets{.targets = "labels"};

template <class T>
void check_batch(const Batch& batch, const Numbers& indices) {
  const auto count = static_cast<std::int64_t>(indices.size());
  BOOST_REQUIRE((batch.inputs.shape() == Shape{count, 2, 3}));
  BOOST_REQUIRE((batch.targets.shape() == Shape{count}));
  BOOST_TEST(batch.targets.to_vector<std::int64_t>() == indices);
  std::vector<T> expected;
  for (const std::int64_t index : indices)
    for (int i = 0; i < 6; ++i) expected.push_back(static_cast<T>(6 * index + i));
  BOOST_TEST(batch.inputs.to_vector<T>() == expected);
}

/// Text of the error of this type that opening throws; empty if it throws none.
template <class ErrorType>
std::string refusal(const std::string& path, const Hdf5DatasetOptions& options = {}) {
  try {
    const Hdf5Dataset dataset(path, options);
  } catch (const ErrorType& error) {
    return error.what();
  }
  return {};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string data_file(const std::string& name) {
  return std::string(EVENKEEL_SOURCE_DIR) + "/tests/io/data/" + name;
}

/// The most memory that the process has had at once since reset_peak_memory(), in MB.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace

BOOST_AUTO_TEST_SUITE(hdf5_dataset_test)

BOOST_AUTO_TEST_CASE(rows_come_in_the_order_asked_for) {
  const TempFolder folder;
  for (const hsize_t chunk_rows : {0u, 1u, 4u, 23u}) {
    const Hdf5Dataset dataset(counting_file(folder, chunk_rows), kWithTargets);
    BOOST_TEST(dataset.size() == 23);
    for (const Numbers& indices : {Numbers{0, 1, 2, 3, 4}, {22}, {5, 4, 3}, {7, 8, 20, 21, 9, 10, 7}, {}})
      check_batch<float>(dataset.get(indices), indices);
  }
}

BOOST_AUTO_TEST_CASE(numbers_of_any_width_are_converted) {
  const TempFolder folder;
  const Numbers indices = {3, 22, 0};
  for (const hid_t type :
       {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U32LE, H5T_STD_I64LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE}) {
    const std::string path = counting_file(folder, 5, type, H5T_STD_U8LE);
    check_batch<float>(Hdf5Dataset(path, kWithTargets).get(indices), indices);
    const Hdf5DatasetOptions doubles{.targets = "labels", .inputs_dtype = DType::f64};
    check_batch<double>(Hdf5Dataset(path, doubles).get(indices), indices);
  }
  const Hdf5DatasetOptions half{.inputs = "stem.weight"};
  const std::vector<std::int64_t> all = {0, 1, 2};
  BOOST_TEST(Hdf5Dataset(data_file("other_types.h5"), half).get(all).inputs.to_vector<float>()[2] == 0);
}

BOOST_AUTO_TEST_CASE(a_loader_gives_what_it_gives_of_samples_in_memory) {
  const TempFolder folder;
  const Hdf5Dataset lazy(counting_file(folder, 4), kWithTargets);
  Numbers all(23);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const Batch whole = lazy.get(all);
  const ek::io::TensorDataset eager(whole.inputs, whole.targets);
  for (const bool shuffle : {false, true})
    for (const std::int64_t prefetch : {0, 3}) {
      const ek::io::DataLoaderOptions options{
          .batch_size = 5, .shuffle = shuffle, .seed = 2, .prefetch = prefetch};
      DataLoader expected(eager, options), loader(lazy, options);
      for (int epoch = 0; epoch < 2; ++epoch) {
        std::vector<Numbers> targets;
        for (auto [inputs, labels] : expected) targets.push_back(labels.to_vector<std::int64_t>());
        std::size_t batch = 0;
        for (const Batch& got : loader) check_batch<float>(got, targets.at(batch++));
        BOOST_TEST(batch == 5u);
      }
    }
}

BOOST_AUTO_TEST_CASE(loaders_read_while_weights_are_saved_and_loaded) {
  const TempFolder folder;
  const Hdf5Dataset dataset(counting_file(folder, 2), kWithTargets);
  ek::Rng rng(1);
  ek::nn::Linear net({.in_features = 20, .out_features = 30}, rng);
  DataLoader one(dataset, {.batch_size = 3, .shuffle = true}),
      other(dataset, {.batch_size = 3, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 5; ++epoch) {
    auto second = other.begin();
    for (const Batch& batch : one) {
      check_batch<float>(batch, batch.targets.to_vector<std::int64_t>());
      check_batch<float>(*second, (*second).targets.to_vector<std::int64_t>());
      ++second;
      ek::io::save_weights(folder / "net.h5", net);
      ek::io::load_weights(folder / "net.h5", net);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_file_larger_than_what_is_asked_for_is_not_read_whole) {
  const TempFolder folder;
  const std::string path = folder / "sparse.h5";
  constexpr std::int64_t kRows = 4096, kColumns = 65536;  // 1 GB as f32
  {
    File file(path);
    const Hdf5Id create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const std::vector<hsize_t> chunk = {2, kColumns};
    const float fill = 2.5f;
    H5Pset_chunk(create, 2, chunk.data());
    H5Pset_fill_value(create, H5T_NATIVE_FLOAT, &fill);
    const Hdf5Id dataset = file.add("inputs", {kRows, kColumns}, H5T_IEEE_F32LE, create);
    const std::vector<float> row(kColumns, 7);
    const hsize_t begin[] = {1000, 0}, size[] = {1, kColumns};
    const Hdf5Id space(H5Dget_space(dataset), H5Sclose), memory(H5Screate_simple(2, size, nullptr), H5Sclose);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, begin, nullptr, size, nullptr);
    BOOST_REQUIRE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, row.data()) >= 0);
  }
  BOOST_TEST(std::filesystem::file_size(path) < 2000000u);
  reset_peak_memory();
  const double before = peak_memory();
  BOOST_REQUIRE(before > 0);
  DataLoader loader(Hdf5Dataset(path), {.batch_size = 16, .shuffle = true});
  std::int64_t written = 0, rows = 0;
  for (auto [inputs, targets] : loader)
    for (std::int64_t i = 0; i < inputs.dim(0); ++i, ++rows) {
      const float* row = inputs.data<float>() + i * kColumns;
      const bool is_written = row[0] == 7;
      written += is_written;
      BOOST_REQUIRE(row[0] == (is_written ? 7.0f : 2.5f));
      BOOST_REQUIRE(row[kColumns - 1] == row[0]);
    }
  const double grown = peak_memory() - before;
  BOOST_TEST(rows == kRows);
  BOOST_TEST(written == 1);
  BOOST_TEST_MESSAGE("reading 1024 MB row by row took " << grown << " MB of memory");
  BOOST_TEST(grown < 512);
}

BOOST_AUTO_TEST_CASE(arrays_that_do_not_fit_are_refused) {
  const TempFolder folder;
  const std::string path = folder / "bad.h5";
  {
    File file(path);
    const Hdf5Id text(H5Tcopy(H5T_C_S1), H5Tclose), scalar(H5Screate(H5S_SCALAR), H5Sclose);
    H5Tset_size(text, 4);
    file.counting("inputs", {6, 2}, H5T_IEEE_F32LE);
    file.counting("few", {5}, H5T_STD_I64LE);
    file.counting("floats", {6}, H5T_IEEE_F32LE);
    file.counting("unsigned", {6}, H5T_STD_U64LE);
    file.add("text", {6}, text);
    const Hdf5Id group(H5Gcreate2(file.id(), "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    const Hdf5Id one(
        H5Dcreate2(file.id(), "one", H5T_IEEE_F32LE, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose);
  }
  BOOST_TEST(has(refusal<ek::FileError>(path, {.inputs = "images"}), "open the dataset \"images\""));
  BOOST_TEST(has(refusal<ek::FileError>(path, {.inputs = "group"}), "open the dataset \"group\""));
  BOOST_TEST(has(refusal<ek::FileError>(path, {.targets = "none"}), "open the dataset \"none\""));
  BOOST_TEST(has(refusal<ek::ShapeError>(path, {.targets = "few"}),
                 "as many \"few\" as \"inputs\" in " + path + ", got [5] and [6, 2]"));
  BOOST_TEST(has(refusal<ek::ShapeError>(path, {.inputs = "one"}), "got a single value"));
  BOOST_TEST(
      has(refusal<ek::DTypeError>(path, {.inputs = "text"}), "in \"text\" of " + path + ", got string"));
  BOOST_TEST(has(refusal<ek::DTypeError>(path, {.targets = "floats"}), "fit into i64 in \"floats\""));
  BOOST_TEST(has(refusal<ek::DTypeError>(path, {.targets = "unsigned"}), "got 64-bit unsigned integer"));
  for (const auto& [name, part] : std::vector<std::pair<std::string, std::string>>{
           {"external_link.h5", "open the dataset"},
           {"external_storage.h5", "external storage"},
           {"virtual_storage.h5", "virtual storage"},
           {"other_filter.h5", "no filter but deflate"},
           {"huge_chunks.h5", "chunks no larger than the data"}}) {
    const std::string text = refusal<ek::FileError>(data_file(name), {.inputs = "stem.bias"});
    BOOST_TEST(has(text, part), name << ": " << text);
  }
  const Hdf5Dataset dataset(path);
  for (const Numbers& indices : {Numbers{6}, {0, -1}})
    BOOST_CHECK_THROW(dataset.get(indices), ek::ValueError);
}

BOOST_AUTO_TEST_CASE(files_that_are_missing_or_cut_off_anywhere_are_refused) {
  const TempFolder folder;
  BOOST_TEST(has(refusal<ek::FileError>(folder / "none.h5"), "No such file"));
  BOOST_TEST(has(refusal<ek::FileError>(folder.path()), "find a whole HDF5 file"));
  const std::string path = counting_file(folder, 4);
  const std::uintmax_t whole = std::filesystem::file_size(path);
  std::uintmax_t refused = 0;
  for (std::uintmax_t size = whole; size-- > 0;) {
    std::filesystem::resize_file(path, size);
    refused += !refusal<ek::FileError>(path, kWithTargets).empty();
  }
  BOOST_TEST(refused == whole);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_off_while_it_is_read_is_an_error_of_the_loop) {
  const TempFolder folder;
  for (const hsize_t chunk_rows : {0u, 4u}) {
    const std::string path = counting_file(folder, chunk_rows);
    DataLoader loader(Hdf5Dataset(path, kWithTargets), {.batch_size = 5});
    int batches = 0;
    const auto read_on = [&] {
      for (const Batch& batch : loader) {
        check_batch<float>(batch, batch.targets.to_vector<std::int64_t>());
        if (++batches == 1) std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
      }
    };
    BOOST_CHECK_THROW(read_on(), ek::FileError);
    BOOST_TEST(batches < 5);
  }
}

BOOST_AUTO_TEST_SUITE_END()
