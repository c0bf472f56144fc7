#include <evenkeel/core/error.h>
#include <evenkeel/io/hdf5.h>

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace evenkeel::io::detail {

namespace {

/// Outermost and innermost entry of HDF5's error stack, in one line.
std::string error_text() {
  std::string text;
  const auto append = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    auto& all = *static_cast<std::string*>(out);
    if (!all.empty()) all += ": ";
    all += entry->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append, &text);
  return text.empty() ? "no reason given" : text;
}

}  // namespace

Hdf5Quiet::Hdf5Quiet() {
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Hdf5Quiet::~Hdf5Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

void throw_hdf5_error(const std::string& action, const std::string& path) {
  throw FileError(fmt::format("[hdf5] expected to {} in {}, got: {}", action, path, error_text()));
}

std::string unique_file_name() {
  static std::atomic<std::uint64_t> count = 0;
  return fmt::format("memory-{}", count++);
}

hid_t hdf5_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return H5T_IEEE_F32LE;
    case DType::f64:
      return H5T_IEEE_F64LE;
    default:
      return H5T_STD_I64LE;
  }
}

}  // namespace evenkeel::io::detail
