#pragma once

#include <evenkeel/io/dataset.h>

#include <memory>
#include <string>

namespace evenkeel::io {

struct Hdf5DatasetOptions {
  std::string inputs = "inputs";     ///< name of the array whose rows are the samples: "a" or "group/a"
  std::string targets = {};          ///< empty: none
  DType inputs_dtype = DType::f32;   ///< what the numbers of the file are converted to, without scaling
  DType targets_dtype = DType::i64;  ///< i64 takes whole numbers only
};

/// Samples that stay in an HDF5 file of any size: get() reads the rows that it is asked for. Rows of
/// compressed arrays are read fastest if a chunk holds few of them. The file must not change meanwhile.
/// Copies share the open file; several threads may read at once.
class Hdf5Dataset : public Dataset {
 public:
  /// FileError for a file that is missing, cut off or not HDF5, for an array that is not there or not safe to
  /// read (external or virtual storage, filters but deflate, shuffle and fletcher32); DTypeError for arrays
  /// without numbers, u64, or fractions as i64; ShapeError if an array has no rows to count, or if targets
  /// are not as many as inputs.
  explicit Hdf5Dataset(const std::string& path, const Hdf5DatasetOptions& options = {});
  std::int64_t size() const override;
  /// FileError if the rows can not be read or the file has been cut off since; ValueError for other indices.
  Batch get(std::span<const std::int64_t> indices) const override;

 private:
  struct File;
  std::shared_ptr<const File> file_;
};

}  // namespace evenkeel::io
