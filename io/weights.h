#pragma once

#include <evenkeel/nn/module.h>

#include <string>
#include <vector>

namespace evenkeel::io {

/// How a file holds the parameters of Conv1d, Conv2d and Conv3d. MegEngine's: weight (groups, out/groups,
/// in/groups, kernel…) if groups ≠ 1, bias (1, out, 1…).
enum class Layout { pytorch, megengine };

struct SaveWeightsOptions {
  Layout layout = Layout::pytorch;
  bool allow_nonfinite = false;  ///< save NaN and infinity too
};

/// Writes all parameters and buffers of `module` to an HDF5 file, one dataset each, flat and with the names
/// of a PyTorch state_dict: h5py.File(path)["block.conv1.weight"]. States of random streams (dropout's) are
/// left out. Replaces `path` all or nothing. ValueError if a value is not finite; FileError if the file can
/// not be written.
void save_weights(const std::string& path, const nn::Module& module, const SaveWeightsOptions& options = {});

struct LoadWeightsOptions {
  Layout layout = Layout::pytorch;  ///< of the file
  bool strict = true;               ///< missing and unexpected names are errors
  bool allow_nonfinite = false;     ///< load NaN and infinity too
  /// Let tensors without μP and unit-scaling marks fill parameters that have them: weights made elsewhere.
  bool allow_unmarked = false;
};

struct LoadWeightsReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     ///< in the module, not in the file; left as they were
  std::vector<std::string> unexpected;  ///< in the file, not in the module
};

/// Loads what save_weights() wrote, or an HDF5 file of that form from elsewhere. Our own files are checked by
/// their hash before anything else. FileError, before the module is changed, that lists *all* names that do
/// not fit: missing and unexpected ones (if strict), and always those of another shape, type, μP type,
/// scaling depth or constraint, or with values that are not finite.
LoadWeightsReport load_weights(const std::string& path, nn::Module& module,
                               const LoadWeightsOptions& options = {});

}  // namespace evenkeel::io
