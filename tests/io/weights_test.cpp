#include <evenkeel/core/error.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/hdf5.h>
#include <evenkeel/io/sealed_file.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::DType;
using ek::Shape;
using ek::Tensor;
using ek::io::LoadWeightsOptions;
using ek::test::TempFolder;

namespace {

/// 0.5·i - 1, as data/make_h5py_files.py makes.
Tensor made(const Shape& shape, DType dtype) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) values.push_back(0.5 * static_cast<double>(i) - 1);
  return Tensor::from(values, shape).to(dtype);
}

struct Stem : ek::nn::Module {
  explicit Stem(const Shape& shape)
      : weight(add_parameter("weight", made(shape, DType::f32))),
        bias(add_parameter("bias", made({3}, DType::f32))) {}
  ek::nn::Parameter weight, bias;
};

struct Head : ek::nn::Module {
  Head() : weight(add_parameter("weight", made({1, 3}, DType::f64))) {}
  ek::nn::Parameter weight;
};

struct Net : ek::nn::Module {
  explicit Net(const Shape& stem_shape = {3, 2})
      : stem(add("stem", Stem(stem_shape))),
        head(add("head", Head())),
        count(add_buffer("count", Tensor::full({}, 42, DType::i64))) {}
  Stem& stem;
  Head& head;
  Tensor count;

  void clear() {
    for (const auto& [name, parameter] : named_parameters()) Tensor(parameter.tensor()).fill_(0);
    count.fill_(0);
  }
  bool is_made(double factor = 1) const {
    for (const auto& [name, parameter] : named_parameters()) {
      const std::vector<double> got = parameter.tensor().detach().to(DType::f64).to_vector<double>();
      std::vector<double> expected = made(parameter.tensor().shape(), DType::f64).to_vector<double>();
      for (double& value : expected) value *= factor;
      if (got != expected) return false;
    }
    return count.item() == 42 * factor;
  }
  bool is_clear() const { return is_made(0); }
  void mark() const {
    ek::nn::Parameter weight = stem.weight;
    weight.set_mup_type(ek::MupType::weight);
    weight.set_mup_scaling_depth(4);
    weight.set_constraint("gmean");
  }
};

std::string data_file(const std::string& name) {
  return std::string(EVENKEEL_SOURCE_DIR) + "/tests/io/data/" + name;
}

/// The text of the FileError that the load throws; the net must stay as it was.
std::string refusal(const std::string& path, Net& net, const LoadWeightsOptions& options = {}) {
  net.clear();
  std::string text;
  try {
    ek::io::load_weights(path, net, options);
  } catch (const ek::FileError& error) {
    text = error.what();
  }
  BOOST_TEST(net.is_clear(), path << " was refused, but the net was changed");
  return text;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_SUITE(weights_test)

BOOST_AUTO_TEST_CASE(what_is_saved_is_loaded) {
  const TempFolder folder;
  Net net;
  net.mark();
  ek::io::save_weights(folder / "net.h5", net);
  net.clear();
  const auto report = ek::io::load_weights(folder / "net.h5", net);
  BOOST_TEST(net.is_made());
  BOOST_TEST((report.loaded == std::vector<std::string>{"stem.weight", "stem.bias", "head.weight", "count"}));
  BOOST_TEST((report.missing.empty() && report.unexpected.empty()));
}

BOOST_AUTO_TEST_CASE(equal_nets_give_equal_bytes) {
  const TempFolder folder;
  ek::io::save_weights(folder / "a.h5", Net());
  ek::io::save_weights(folder / "b.h5", Net());
  BOOST_TEST((ek::io::read_file(folder / "a.h5") == ek::io::read_file(folder / "b.h5")));
}

BOOST_AUTO_TEST_CASE(tensors_without_elements_are_kept) {
  const TempFolder folder;
  struct Empty : ek::nn::Module {
    Empty() : buffer(add_buffer("none", Tensor::zeros({0, 3}))) {}
    Tensor buffer;
  } net;
  ek::io::save_weights(folder / "net.h5", net);
  BOOST_TEST(ek::io::load_weights(folder / "net.h5", net).loaded.size() == 1u);
}

BOOST_AUTO_TEST_CASE(random_streams_are_not_saved_as_weights) {
  const TempFolder folder;
  const std::string path = folder / "net.h5";
  ek::Rng rng(1);
  ek::nn::Sequential net(ek::nn::Linear({.in_features = 2, .out_features = 3}, rng),
                         ek::nn::Dropout({.p = 0.5}, rng));
  for (const auto layout : {ek::io::Layout::pytorch, ek::io::Layout::megengine}) {
    ek::io::save_weights(path, net, {.layout = layout});
    const ek::io::detail::Hdf5Reader reader(ek::io::read_file(path), path);
    BOOST_TEST((reader.names("/").datasets == std::vector<std::string>{"0.bias", "0.weight"}));
    const auto report = ek::io::load_weights(path, net, {.layout = layout});
    BOOST_TEST((report.missing.empty() && report.unexpected.empty()));
  }
}

BOOST_AUTO_TEST_CASE(files_made_by_h5py_are_loaded) {
  for (const char* file : {"plain.h5", "compressed.h5"}) {
    Net net;
    net.clear();
    ek::io::load_weights(data_file(file), net);
    BOOST_TEST(net.is_made(), file);
  }
  Net net;
  net.mark();
  net.clear();
  ek::io::load_weights(data_file("marked.h5"), net);
  BOOST_TEST(net.is_made());
}

BOOST_AUTO_TEST_CASE(missing_and_unexpected_names_are_all_listed_or_reported) {
  const TempFolder folder;
  struct Other : ek::nn::Module {
    Other()
        : stem(add("stem", Stem({3, 2}))),
          a(add_parameter("a", made({2}, DType::f32))),
          b(add_buffer("b", made({2}, DType::f32))) {}
    Stem& stem;
    ek::nn::Parameter a;
    Tensor b;
  } other;
  ek::io::save_weights(folder / "net.h5", other);
  Net net;
  const std::string text = refusal(folder / "net.h5", net);
  BOOST_TEST(has(text, "missing: head.weight, count"), text);
  BOOST_TEST(has(text, "unexpected: a, b"), text);

  net.clear();
  const auto report = ek::io::load_weights(folder / "net.h5", net, {.strict = false});
  BOOST_TEST((report.loaded == std::vector<std::string>{"stem.weight", "stem.bias"}));
  BOOST_TEST((report.missing == std::vector<std::string>{"head.weight", "count"}));
  BOOST_TEST((report.unexpected == std::vector<std::string>{"a", "b"}));
  BOOST_TEST(net.stem.bias.tensor().detach().to_vector<float>()[2] == 0);
  BOOST_TEST(net.stem.bias.tensor().detach().to_vector<float>()[0] == -1);
  BOOST_TEST(net.head.weight.tensor().detach().to_vector<double>()[0] == 0);
  BOOST_TEST(has(refusal(data_file("group.h5"), net), "unexpected: extra"));
}

BOOST_AUTO_TEST_CASE(wrong_shapes_and_types_are_refused_also_when_not_strict) {
  const TempFolder folder;
  Net wide({5, 2});
  wide.to(DType::f32);
  ek::io::save_weights(folder / "wide.h5", wide);
  Net net;
  for (const bool strict : {true, false}) {
    const std::string text = refusal(folder / "wide.h5", net, {.strict = strict});
    BOOST_TEST(has(text, "shape of stem.weight: expected [3, 2], got [5, 2]"), text);
    BOOST_TEST(has(text, "type of head.weight: expected f64, got f32"), text);
  }
  const std::string text = refusal(data_file("other_types.h5"), net);
  BOOST_TEST(has(text, "type of stem.weight: expected f32, got 16-bit float"), text);
  BOOST_TEST(has(text, "type of stem.bias: expected f32, got string"), text);
  BOOST_TEST(has(text, "type of count: expected i64, got 32-bit integer"), text);
  Net transposed({2, 3});
  BOOST_TEST(
      has(refusal(data_file("plain.h5"), transposed), "shape of stem.weight: expected [2, 3], got [3, 2]"));
}

BOOST_AUTO_TEST_CASE(another_parametrisation_is_refused) {
  const TempFolder folder;
  const std::string path = folder / "net.h5";
  const std::string all = "mup_type=weight mup_scaling_depth=4 constraint=gmean";
  const std::string none = "no μP or unit-scaling marks";
  Net plain, marked;
  marked.mark();
  ek::io::save_weights(path, marked);
  BOOST_TEST(has(refusal(path, plain), "parametrisation of stem.weight: expected " + none + ", got " + all));
  BOOST_TEST(has(refusal(path, plain, {.allow_unmarked = true}), "parametrisation of stem.weight"));
  for (const std::string& file : {data_file("plain.h5"), path}) {
    if (file == path) ek::io::save_weights(path, Net());
    BOOST_TEST(
        has(refusal(file, marked), "parametrisation of stem.weight: expected " + all + ", got " + none));
    ek::io::load_weights(file, marked, {.allow_unmarked = true});
    BOOST_TEST(marked.is_made());
  }
  const std::vector<std::function<void(ek::nn::Parameter)>> changes = {
      [](ek::nn::Parameter p) { p.set_mup_type(ek::MupType::output); },
      [](ek::nn::Parameter p) { p.set_mup_scaling_depth(5); },
      [](ek::nn::Parameter p) { p.set_mup_scaling_depth({}); },
      [](ek::nn::Parameter p) { p.set_constraint("hmean"); }};
  for (const auto& change : changes) {
    Net net;
    net.mark();
    change(net.stem.weight);
    BOOST_TEST(has(refusal(data_file("marked.h5"), net), "parametrisation of stem.weight"));
  }
}

BOOST_AUTO_TEST_CASE(values_that_are_not_finite_are_refused_unless_allowed) {
  const TempFolder folder;
  const std::string path = folder / "net.h5";
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    Net net;
    ek::io::save_weights(path, net);
    Tensor(net.stem.bias.tensor()).fill_(bad);
    BOOST_CHECK_THROW(ek::io::save_weights(path, net), ek::ValueError);
    ek::io::load_weights(path, net);
    BOOST_TEST(net.is_made(), "the old file was kept");
    Tensor(net.stem.bias.tensor()).fill_(bad);
    ek::io::save_weights(path, net, {.allow_nonfinite = true});
    BOOST_TEST(has(refusal(path, net), "values of stem.bias: expected finite numbers"));
    ek::io::load_weights(path, net, {.allow_nonfinite = true});
    BOOST_TEST(!(std::abs(net.stem.bias.tensor().detach().to_vector<float>()[1]) < 1e30f));
  }
}

BOOST_AUTO_TEST_CASE(convolutions_are_saved_and_loaded_in_megengines_layout) {
  const TempFolder folder;
  const std::string path = folder / "net.h5";
  ek::Rng rng(1);
  ek::nn::Sequential net(
      ek::nn::Conv1d({.in_channels = 4, .out_channels = 6, .kernel_size = 3, .groups = 2}, rng),
      ek::nn::Conv2d({.in_channels = 2, .out_channels = 3, .kernel_size = {3, 1}}, rng),
      ek::nn::Conv3d({.in_channels = 2, .out_channels = 2, .kernel_size = 2, .groups = 2, .bias = false},
                     rng),
      ek::nn::Linear({.in_features = 2, .out_features = 3}, rng));
  std::vector<std::vector<float>> values;
  for (const auto& parameter : net.parameters())
    values.push_back(parameter.tensor().detach().to_vector<float>());
  ek::io::save_weights(path, net, {.layout = ek::io::Layout::megengine});

  const ek::io::detail::Hdf5Reader reader(ek::io::read_file(path), path);
  const std::vector<std::pair<std::string, Shape>> shapes = {{"0.weight", {2, 3, 2, 3}},
                                                             {"0.bias", {1, 6, 1}},
                                                             {"1.weight", {3, 2, 3, 1}},
                                                             {"1.bias", {1, 3, 1, 1}},
                                                             {"2.weight", {2, 1, 1, 2, 2, 2}},
                                                             {"3.weight", {3, 2}},
                                                             {"3.bias", {3}}};
  BOOST_TEST(reader.names("/").datasets.size() == shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    BOOST_TEST((reader.info(shapes[i].first).shape == shapes[i].second), shapes[i].first);
    BOOST_TEST(reader.read(shapes[i].first).to_vector<float>() == values[i]);
  }

  const auto clear = [&] {
    for (const auto& parameter : net.parameters()) Tensor(parameter.tensor()).fill_(0);
  };
  clear();
  ek::io::load_weights(path, net, {.layout = ek::io::Layout::megengine});
  for (std::size_t i = 0; i < values.size(); ++i)
    BOOST_TEST(net.parameters()[i].tensor().detach().to_vector<float>() == values[i]);

  clear();
  BOOST_CHECK_THROW(ek::io::load_weights(path, net), ek::FileError);
  BOOST_TEST(net.parameters()[0].tensor().detach().to_vector<float>()[0] == 0);
  ek::io::save_weights(path, net);
  BOOST_CHECK_THROW(ek::io::load_weights(path, net, {.layout = ek::io::Layout::megengine}), ek::FileError);
}

BOOST_AUTO_TEST_CASE(files_in_memory_do_not_mix) {
  const TempFolder folder;
  const auto save = [&](const std::string& name, double value) {
    Net net;
    Tensor(net.stem.bias.tensor()).fill_(value);
    ek::io::save_weights(folder / name, net);
  };
  save("one", 1);
  const ek::io::detail::Hdf5Reader one(ek::io::read_file(folder / "one"), "one");
  save("two", 2);
  const ek::io::detail::Hdf5Reader two(ek::io::read_file(folder / "two"), "two");
  BOOST_TEST(one.read("stem.bias").data<float>()[0] == 1);
  BOOST_TEST(two.read("stem.bias").data<float>()[0] == 2);
}

BOOST_AUTO_TEST_CASE(threads_can_save_and_load_at_once) {
  const TempFolder folder;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 3; ++thread)
      threads.emplace_back([&, thread] {
        const std::string path = folder / std::to_string(thread);
        Net net;
        for (int i = 0; i < 20; ++i) {
          Tensor(net.stem.bias.tensor()).fill_(100 * thread + i);
          ek::io::save_weights(path, net);
          net.clear();
          ek::io::load_weights(path, net);
          wrong += net.stem.bias.tensor().data<float>()[2] != static_cast<float>(100 * thread + i);
        }
      });
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(links_storage_and_filters_that_reach_outside_are_refused) {
  Net net;
  for (const auto& [file, part] :
       std::vector<std::pair<std::string, std::string>>{{"soft_link.h5", "soft or external link"},
                                                        {"external_link.h5", "soft or external link"},
                                                        {"external_storage.h5", "external storage"},
                                                        {"virtual_storage.h5", "virtual storage"},
                                                        {"other_filter.h5", "no filter but deflate"},
                                                        {"huge_chunks.h5", "chunks no larger than the data"},
                                                        {"huge_shape.h5", "bytes declared"},
                                                        {"text_of_variable_length.h5", "np.bytes_"}}) {
    const std::string text = refusal(data_file(file), net);
    BOOST_TEST(has(text, part), file << ": " << text);
  }
}

BOOST_AUTO_TEST_CASE(other_files_are_refused) {
  const TempFolder folder;
  Net net;
  BOOST_TEST(has(refusal(folder / "none.h5", net), "No such file"));
  const std::string text = "not an HDF5 file, but long enough to look at";
  ek::io::write_file_atomically(folder / "text.h5", std::as_bytes(std::span(text)));
  BOOST_TEST(has(refusal(folder / "text.h5", net), "got neither"));
  ek::io::write_file_atomically(folder / "empty.h5", {});
  BOOST_TEST(has(refusal(folder / "empty.h5", net), "got neither"));
}

BOOST_AUTO_TEST_CASE(every_damaged_byte_and_every_cut_is_noticed) {
  const TempFolder folder;
  Net net;
  net.mark();
  ek::io::save_weights(folder / "net.h5", net);
  const std::vector<std::byte> good = ek::io::read_file(folder / "net.h5");
  // check_seal() is all that stands before HDF5; what passes it unnoticed would be silent.
  std::size_t tried = 0, silent = 0;
  const auto is_noticed = [&](const std::vector<std::byte>& bytes) {
    ++tried;
    try {
      ek::io::detail::check_seal(bytes, "mutation");
    } catch (const ek::FileError&) {
      return true;
    }
    return false;
  };
  std::vector<std::byte> bytes = good;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] ^= static_cast<std::byte>(1 << bit);
      silent += !is_noticed(bytes);
      bytes[at] = good[at];
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size)
    silent += !is_noticed({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)});
  bytes.push_back(std::byte{0});
  silent += !is_noticed(bytes);
  BOOST_TEST_MESSAGE("damaged weight files: " << tried << ", unnoticed: " << silent);
  BOOST_TEST(silent == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
