#include "support/golden.h"

#include <hdf5.h>

#include <stdexcept>

namespace evenkeel::test {

namespace {

template <class T>
std::vector<T> read_dataset(hid_t file, const char* name, hid_t type) {
  const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
  if (dataset < 0) throw std::runtime_error(std::string("no dataset ") + name);
  const hid_t space = H5Dget_space(dataset);
  std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  const herr_t status = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Sclose(space);
  H5Dclose(dataset);
  if (status < 0) throw std::runtime_error(std::string("can not read ") + name);
  return values;
}

Shape shape_of(const nlohmann::json& spec) {
  return Shape(spec.at("shape").get<std::vector<std::int64_t>>());
}

Tensor tensor_of(const nlohmann::json& spec, const std::vector<double>& data) {
  const Shape shape = shape_of(spec);
  if (spec.contains("ints")) return Tensor::from(spec["ints"].get<std::vector<std::int64_t>>(), shape);
  if (spec.contains("make"))
    return golden_made(shape, spec["make"].get<std::uint64_t>(), spec.value("scale", 1.0),
                       spec.value("shift", 0.0));
  const auto offset = spec.at("offset").get<std::size_t>();
  return Tensor::from(std::span(data).subspan(offset, static_cast<std::size_t>(shape.numel())), shape);
}

}  // namespace

Tensor GoldenCase::get(const std::string& tensor) const {
  const auto found = tensors.find(tensor);
  return found == tensors.end() ? Tensor() : found->second;
}

Tensor golden_made(const Shape& shape, std::uint64_t seed, double scale, double shift) {
  Tensor out = Tensor::empty(shape, DType::f64);
  double* values = out.mutable_data<double>();
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    auto v =
        static_cast<std::uint32_t>(static_cast<std::uint64_t>(i) * 2654435761u + seed * 2246822519u + 12345u);
    v ^= v >> 15;
    v *= 2246822519u;
    v ^= v >> 13;
    v *= 3266489917u;
    v ^= v >> 16;
    const double unit = v / 2147483648.0 - 1.0;
    const double product = unit * scale;
    values[i] = product + shift;
  }
  return out;
}

std::vector<GoldenCase> read_golden(const std::string& file, const std::string& folder) {
  const std::string path = folder + "/" + file;
  const hid_t handle = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (handle < 0) throw std::runtime_error("can not open " + path);
  const std::vector<unsigned char> text = read_dataset<unsigned char>(handle, "cases", H5T_NATIVE_UINT8);
  const std::vector<double> data = read_dataset<double>(handle, "data", H5T_NATIVE_DOUBLE);
  H5Fclose(handle);
  std::vector<GoldenCase> cases;
  const nlohmann::json document = nlohmann::json::parse(text.begin(), text.end());
  for (const nlohmann::json& entry : document.at("cases")) {
    GoldenCase golden{
        entry.at("name"), entry.at("op"), entry.value("options", nlohmann::json::object()), entry, {}};
    const nlohmann::json tensors = entry.value("tensors", nlohmann::json::object());
    for (const auto& [name, spec] : tensors.items()) golden.tensors[name] = tensor_of(spec, data);
    cases.push_back(std::move(golden));
  }
  return cases;
}

}  // namespace evenkeel::test
