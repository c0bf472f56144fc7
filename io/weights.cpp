#include <evenkeel/core/error.h>
#include <evenkeel/io/atomic_file.h>
#include <evenkeel/io/module_tensors.h>
#include <evenkeel/io/sealed_file.h>
#include <evenkeel/io/weights.h>

#include <fmt/format.h>

#include <utility>

namespace evenkeel::io {

namespace {

constexpr const char* kFormat = "evenkeel.weights";
constexpr bool kWithRandomState = false;

}  // namespace

void save_weights(const std::string& path, const nn::Module& module, const SaveWeightsOptions& options) {
  const std::vector<detail::ModuleTensor> tensors = detail::module_tensors(module, kWithRandomState);
  if (!options.allow_nonfinite) detail::check_finite("save_weights", tensors);
  detail::Hdf5Writer writer(detail::kSealBytes, detail::byte_count(tensors));
  writer.attribute("/", "format", kFormat);
  writer.attribute("/", "format_version", std::int64_t{1});
  detail::write_module(writer, "/", tensors);
  std::vector<std::byte> bytes = writer.finish();
  detail::seal(bytes);
  write_file_atomically(path, bytes);
}

LoadWeightsReport load_weights(const std::string& path, nn::Module& module,
                               const LoadWeightsOptions& options) {
  std::vector<std::byte> bytes = read_file(path);
  const bool is_own = detail::check_seal(bytes, path);
  const detail::Hdf5Reader reader(std::move(bytes), path);
  if (const std::string format = reader.text("/", "format").value_or("none"); is_own && format != kFormat)
    throw FileError(fmt::format("[load_weights] expected weights in {}, got format {}", path, format));
  detail::ModuleLoad load(reader, "/", detail::module_tensors(module, kWithRandomState), options, path);
  load.commit();
  return load.report();
}

}  // namespace evenkeel::io
