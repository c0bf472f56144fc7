#include <evenkeel/io/hdf5_dataset.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/conv.h>
#include <evenkeel/nn/dropout.h>
#include <evenkeel/nn/linear.h>
#include <evenkeel/nn/norm.h>
#include <evenkeel/nn/sequential.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "support/temp_folder.h"

namespace ek = evenkeel;
using ek::DType;
using ek::Tensor;
using ek::test::TempFolder;

namespace {

/// Each tensor of a net as doubles, in the order of the state_dict.
std::vector<std::vector<double>> values(const ek::nn::Module& net) {
  std::vector<std::vector<double>> all;
  for (const auto& [name, parameter] : net.named_parameters())
    all.push_back(parameter.tensor().detach().to(DType::f64).to_vector<double>());
  for (const ek::nn::NamedBuffer& buffer : net.named_buffers())
    if (buffer.kind == ek::nn::BufferKind::state)
      all.push_back(buffer.tensor.to(DType::f64).to_vector<double>());
  return all;
}

/// Sets tensor t of the net to factor · (100·t + i), as check_with_h5py.py expects.
void fill(ek::nn::Module& net, double factor) {
  double start = 0;
  const auto set = [&](Tensor tensor) {
    std::vector<double> numbers;
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      numbers.push_back(factor * (start + static_cast<double>(i)));
    tensor.copy_(Tensor::from(numbers, tensor.shape()).to(tensor.dtype()));
    start += 100;
  };
  for (const auto& [name, parameter] : net.named_parameters()) set(parameter.tensor());
  for (const ek::nn::NamedBuffer& buffer : net.named_buffers())
    if (buffer.kind == ek::nn::BufferKind::state) set(buffer.tensor);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(h5py_test)

BOOST_AUTO_TEST_CASE(h5py_reads_what_we_write_and_we_read_what_it_writes) {
  const char* given = std::getenv("EVENKEEL_PYTHON");
  const std::string python = given == nullptr ? "/usr/bin/python3" : given;
  if (std::system((python + " -c 'import h5py' 2>/dev/null").c_str()) != 0) {
    std::cout << "SKIP: " << python
              << " has no h5py: install python3-h5py, or name another Python in EVENKEEL_PYTHON" << std::endl;
    return;
  }
  const TempFolder folder;
  ek::Rng rng(1);
  ek::nn::Sequential net(ek::nn::Conv1d({.in_channels = 2, .out_channels = 3, .kernel_size = 4}, rng),
                         ek::nn::BatchNorm1d({.num_features = 3}), ek::nn::Dropout({.p = 0.5}, rng),
                         ek::nn::Linear({.in_features = 3, .out_features = 2}, rng));
  net.child("3").to(DType::f64);
  ek::nn::Parameter weight = net.named_parameters()[0].parameter;
  weight.set_mup_type(ek::MupType::weight);
  weight.set_mup_scaling_depth(4);
  weight.set_constraint("gmean");
  fill(net, 1);
  ek::io::save_weights(folder / "net.h5", net);
  const std::string script = std::string(EVENKEEL_SOURCE_DIR) + "/tests/io/check_with_h5py.py";
  BOOST_REQUIRE(std::system((python + " " + script + " " + folder.path().string()).c_str()) == 0);

  fill(net, 2);
  const std::vector<std::vector<double>> doubled = values(net);
  fill(net, 0);
  BOOST_TEST(ek::io::load_weights(folder / "doubled.h5", net).loaded.size() == 9u);
  BOOST_TEST((values(net) == doubled));

  const ek::io::Hdf5Dataset dataset(folder / "data.h5",
                                    {.inputs = "train/images", .targets = "train/labels"});
  BOOST_TEST(dataset.size() == 50);
  const std::vector<std::int64_t> some = {49, 0, 7};
  const ek::io::Batch batch = dataset.get(some);
  BOOST_TEST(batch.targets.to_vector<std::int64_t>() == (std::vector<std::int64_t>{490, 0, 70}));
  BOOST_TEST(batch.inputs.to_vector<float>() ==
             (std::vector<float>{196, 197, 198, 199, 0, 1, 2, 3, 28, 29, 30, 31}));
}

BOOST_AUTO_TEST_SUITE_END()
