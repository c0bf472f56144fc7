#include <evenkeel/io/module_tensors.h>
#include <evenkeel/io/own_file.h>
#include <evenkeel/io/weights.h>

#include <vector>

namespace evenkeel::io {

namespace {

constexpr const char* kFormat = "evenkeel.weights";
constexpr bool kWithRandomState = false;

}  // namespace

void save_weights(const std::string& path, const nn::Module& module, const SaveWeightsOptions& options) {
  const std::vector<detail::ModuleTensor> tensors =
      detail::module_tensors(module, kWithRandomState, options.layout);
  if (!options.allow_nonfinite) detail::check_finite("save_weights", tensors);
  detail::Hdf5Writer writer = detail::start_file(kFormat, detail::byte_count(tensors));
  detail::write_module(writer, "/", tensors);
  detail::finish_file(writer, path);
}

LoadWeightsReport load_weights(const std::string& path, nn::Module& module,
                               const LoadWeightsOptions& options) {
  const detail::Hdf5Reader reader = detail::open_any_file(path, kFormat);
  detail::ModuleLoad load(reader, "/", detail::module_tensors(module, kWithRandomState, options.layout),
                          options, path);
  load.commit();
  return load.report();
}

}  // namespace evenkeel::io
