#include <evenkeel/core/error.h>
#include <evenkeel/io/hdf5.h>
#include <evenkeel/io/hdf5_dataset.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

namespace evenkeel::io {

namespace {

using detail::Hdf5Id;

/// An open array of the file.
struct Rows {
  std::string name;
  Hdf5Id dataset;
  Shape shape;
  DType dtype;  // of the tensors made of it
};

/// Whether numbers of the file can become a `dtype`.
bool converts(hid_t type, DType dtype) {
  const std::size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return is_floating(dtype) && bytes <= sizeof(double);
    case H5T_INTEGER:
      return bytes < sizeof(std::int64_t) ||
             (bytes == sizeof(std::int64_t) && H5Tget_sign(type) == H5T_SGN_2);
    default:
      return false;
  }
}

off_t size_of_file(hid_t file, const std::string& path) {
  void* descriptor = nullptr;
  struct stat status;
  if (H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) < 0 ||
      ::fstat(*static_cast<int*>(descriptor), &status) != 0)
    detail::throw_hdf5_error("find the size", path);
  return status.st_size;
}

/// For H5Pset_elink_cb: data are read from the file that was named, not from others.
herr_t refuse_link(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) { return -1; }

Rows open_rows(hid_t file, const std::string& name, DType dtype, const std::string& path) {
  const Hdf5Id access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  H5Pset_elink_cb(access, refuse_link, nullptr);
  Rows rows{name, Hdf5Id(H5Dopen2(file, name.c_str(), access), H5Dclose), {}, dtype};
  if (rows.dataset < 0) detail::throw_hdf5_error("open the dataset \"" + name + "\"", path);
  constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();  // no more than a batch is read
  const detail::Hdf5Info info = detail::inspect(rows.dataset, name, kAnySize, path);
  const Hdf5Id type(H5Dget_type(rows.dataset), H5Tclose);
  if (!converts(type, dtype))
    throw DTypeError(fmt::format("[hdf5] expected numbers that fit into {} in \"{}\" of {}, got {}",
                                 evenkeel::name(dtype), name, path, info.type));
  if (info.shape.rank() == 0)
    throw ShapeError(fmt::format("[hdf5] expected samples in \"{}\" of {}, got a single value", name, path));
  rows.shape = info.shape;
  return rows;
}

/// Reads `count` rows from row `first` on.
template <class T>
void read_rows(const Rows& rows, std::int64_t first, std::int64_t count, T* to, const std::string& path) {
  std::array<hsize_t, Shape::kMaxRank> begin{}, sizes{};
  std::copy(rows.shape.begin(), rows.shape.end(), sizes.begin());
  begin[0] = static_cast<hsize_t>(first);
  sizes[0] = static_cast<hsize_t>(count);
  const Hdf5Id from(H5Dget_space(rows.dataset), H5Sclose);
  const Hdf5Id into(H5Screate_simple(rows.shape.rank(), sizes.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(from, H5S_SELECT_SET, begin.data(), nullptr, sizes.data(), nullptr) < 0 ||
      H5Dread(rows.dataset, detail::hdf5_type(rows.dtype), into, from, H5P_DEFAULT, to) < 0)
    detail::throw_hdf5_error(fmt::format("read rows {} to {} of \"{}\"", first, first + count - 1, rows.name),
                             path);
}

/// Reads in the order of the file, neighbours at once, so that no chunk is inflated twice.
Tensor gather(const Rows& rows, std::span<const std::int64_t> indices, const std::string& path) {
  const std::size_t count = indices.size();
  Tensor out = Tensor::empty(rows.shape.with(0, static_cast<std::int64_t>(count)), rows.dtype);
  if (out.numel() == 0) return out;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return indices[a] < indices[b]; });
  evenkeel::detail::dispatch_all(rows.dtype, [&]<class T>() {
    const std::int64_t row = rows.shape.without(0).numel();
    T* const to = out.mutable_data<T>();
    for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
      for (end = begin + 1; end < count; ++end)
        if (order[end] != order[end - 1] + 1 || indices[order[end]] != indices[order[end - 1]] + 1) break;
      read_rows(rows, indices[order[begin]], static_cast<std::int64_t>(end - begin),
                to + static_cast<std::int64_t>(order[begin]) * row, path);
    }
  });
  return out;
}

}  // namespace

struct Hdf5Dataset::File {
  std::string path;
  Hdf5Id id;
  off_t bytes;
  Rows inputs, targets;
};

Hdf5Dataset::Hdf5Dataset(const std::string& path, const Hdf5DatasetOptions& options) {
  const detail::Hdf5Quiet quiet;
  const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr std::size_t kCacheSlots = 12421, kCacheBytes = 64 << 20;  // for the chunks that rows share
  H5Pset_cache(access, 0, kCacheSlots, kCacheBytes, 0.75);
  Hdf5Id id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose);
  if (id < 0) detail::throw_hdf5_error("find a whole HDF5 file", path);
  const off_t bytes = size_of_file(id, path);
  Rows inputs = open_rows(id, options.inputs, options.inputs_dtype, path), targets;
  if (!options.targets.empty()) {
    targets = open_rows(id, options.targets, options.targets_dtype, path);
    if (targets.shape[0] != inputs.shape[0])
      throw ShapeError(fmt::format("[hdf5] expected as many \"{}\" as \"{}\" in {}, got {} and {}",
                                   targets.name, inputs.name, path, targets.shape.str(), inputs.shape.str()));
  }
  file_ =
      std::make_shared<const File>(File{path, std::move(id), bytes, std::move(inputs), std::move(targets)});
}

std::int64_t Hdf5Dataset::size() const { return file_->inputs.shape[0]; }

Batch Hdf5Dataset::get(std::span<const std::int64_t> indices) const {
  detail::check_indices(indices, size());
  const detail::Hdf5Quiet quiet;
  const File& file = *file_;
  // HDF5 takes what is missing at the end of a file for zeros.
  if (const off_t left = size_of_file(file.id, file.path); left < file.bytes)
    throw FileError(
        fmt::format("[hdf5] expected the {} bytes that {} had, got {}", file.bytes, file.path, left));
  Batch batch{gather(file.inputs, indices, file.path), {}};
  if (file.targets.dataset >= 0) batch.targets = gather(file.targets, indices, file.path);
  return batch;
}

}  // namespace evenkeel::io
