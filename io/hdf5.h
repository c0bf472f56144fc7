#pragma once

// Internal, not part of evenkeel.h: io/hdf5*.cpp are the only files of the library that call the HDF5 C API.
// HDF5 builds files in memory and reads them from memory (docs/checkpoint-format.md); it reads data sets from
// the disk, and never writes to it.

#include <evenkeel/core/tensor.h>

#include <hdf5.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#ifndef H5_HAVE_THREADSAFE
#error "HDF5 is called from several threads: it must have been configured with --enable-threadsafe"
#endif

namespace evenkeel::io::detail {

/// While it lives, HDF5 prints no errors on this thread.
class Hdf5Quiet {
 public:
  Hdf5Quiet();
  ~Hdf5Quiet();
  Hdf5Quiet(const Hdf5Quiet&) = delete;
  Hdf5Quiet& operator=(const Hdf5Quiet&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// An HDF5 identifier, closed at the end of its life.
class Hdf5Id {
 public:
  Hdf5Id() = default;
  Hdf5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Id(Hdf5Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Id& operator=(Hdf5Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// FileError "[hdf5] expected to <action> in <path>, got: <HDF5's own text>".
[[noreturn]] void throw_hdf5_error(const std::string& action, const std::string& path);

/// A name for a file in memory. HDF5 takes two open files in memory for one if they have one name.
std::string unique_file_name();

/// The type that a tensor has in memory and in a file, little-endian.
hid_t hdf5_type(DType dtype);

/// What a dataset holds, known before any of it is read.
struct Hdf5Info {
  Shape shape;
  std::optional<DType> dtype;  ///< none: a type that tensors do not have
  std::string type;            ///< in words: "f32", "16-bit float", "string"
};

/// What an open dataset holds. FileError unless it is safe to read: at most 8 axes, no external or virtual
/// storage, no filters but deflate, shuffle and fletcher32, chunks not far larger than the data, no more
/// bytes declared than `stored_bytes` of file can give.
Hdf5Info inspect(hid_t dataset, const std::string& name, std::size_t stored_bytes, const std::string& path);

/// Builds an HDF5 file in memory. Names of datasets and attributes are paths from the root, "/".
class Hdf5Writer {
 public:
  /// Leaves the first `user_block` bytes to the caller. `expected_bytes` saves copies while the file grows.
  Hdf5Writer(std::size_t user_block, std::size_t expected_bytes);
  void group(const std::string& name);
  void dataset(const std::string& name, const Tensor& tensor);
  void attribute(const std::string& object, const char* name, const std::string& text);
  void attribute(const std::string& object, const char* name, std::int64_t number);
  /// The file's bytes. The writer can not be used any more.
  std::vector<std::byte> finish();

 private:
  void attribute(const std::string& object, const char* name, hid_t type, const void* value);

  std::size_t user_block_;
  Hdf5Id file_;
};

/// Reads a file that is in memory.
class Hdf5Reader {
 public:
  /// `path` is for the errors' texts only. FileError if HDF5 does not take the bytes.
  Hdf5Reader(std::vector<std::byte> bytes, std::string path);

  struct Names {
    std::vector<std::string> datasets, groups;  ///< in alphabetical order
  };
  /// What a group holds. FileError for anything but hard links to datasets and groups.
  Names names(const std::string& group) const;
  /// See inspect().
  Hdf5Info info(const std::string& dataset) const;
  /// FileError if the dataset has a type that tensors do not have.
  Tensor read(const std::string& dataset) const;
  /// None if the object has no such attribute; FileError if it is no fixed-length string or whole number.
  std::optional<std::string> text(const std::string& object, const char* attribute) const;
  std::optional<std::int64_t> number(const std::string& object, const char* attribute) const;

 private:
  Hdf5Id open(const std::string& dataset) const;
  Hdf5Id open_attribute(const std::string& object, const char* attribute) const;

  std::vector<std::byte> bytes_;
  std::string path_;
  Hdf5Id file_;
};

}  // namespace evenkeel::io::detail
