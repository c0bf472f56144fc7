#pragma once

// Internal: the parameters and buffers of a module as datasets of an HDF5 group.

#include <evenkeel/io/hdf5.h>
#include <evenkeel/io/weights.h>
#include <evenkeel/nn/module.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace evenkeel::io::detail {

/// What makes a parameter train as it does, beside its values. Loading values into a parameter with other
/// marks would silently give another net.
struct Marks {
  std::string mup_type;
  std::optional<std::int64_t> mup_scaling_depth;
  std::string constraint;

  bool operator==(const Marks&) const = default;
  std::string str() const;
};

struct ModuleTensor {
  std::string name;
  Tensor tensor;
  Marks marks;  ///< of parameters only
};

/// Parameters, then buffers; states of random streams only if wanted. They share memory with the module's and
/// have the shapes of `layout`. ConfigError for a name that HDF5 would take for a path.
std::vector<ModuleTensor> module_tensors(const nn::Module& module, bool with_random_state,
                                         Layout layout = Layout::pytorch);
std::size_t byte_count(const std::vector<ModuleTensor>& tensors);
/// ValueError "[op] …" that lists all tensors with a value that is not finite.
void check_finite(const char* op, const std::vector<ModuleTensor>& tensors);

/// Writes the tensors as datasets of the group `group` ("/" or "/model/").
void write_module(Hdf5Writer& writer, const std::string& group, const std::vector<ModuleTensor>& tensors);

/// The module's new values, read and checked but not yet put into it.
class ModuleLoad {
 public:
  /// FileError with all that does not fit; see load_weights().
  ModuleLoad(const Hdf5Reader& reader, const std::string& group, const std::vector<ModuleTensor>& tensors,
             const LoadWeightsOptions& options, const std::string& path);
  const LoadWeightsReport& report() const { return report_; }
  /// Changes the module.
  void commit();

 private:
  std::vector<std::pair<Tensor, Tensor>> values_;  // target, source
  LoadWeightsReport report_;
};

}  // namespace evenkeel::io::detail
