#include <evenkeel/core/error.h>
#include <evenkeel/io/hdf5.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace evenkeel::io::detail {

namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& path, const std::string& expected,
                         const std::string& got) {
  throw FileError(fmt::format("[hdf5] expected {} in \"{}\" of {}, got {}", expected, name, path, got));
}

std::optional<DType> dtype_of_file(hid_t type) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i64})
    if (H5Tequal(type, hdf5_type(dtype)) > 0) return dtype;
  return {};
}

std::string type_text(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  const char* order = H5Tget_order(type) == H5T_ORDER_BE ? "big-endian " : "";
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return fmt::format("{}{}-bit float", order, bits);
    case H5T_INTEGER:
      return fmt::format("{}{}-bit {}integer", order, bits,
                         H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned " : "");
    case H5T_STRING:
      return "string";
    default:
      return "a compound or other type";
  }
}

Shape shape_of(hid_t dataset, const std::string& name, const std::string& path) {
  const Hdf5Id space(H5Dget_space(dataset), H5Sclose);
  const H5S_class_t kind = H5Sget_simple_extent_type(space);
  if (kind != H5S_SIMPLE && kind != H5S_SCALAR) refuse(name, path, "a plain array", "none");
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > Shape::kMaxRank) refuse(name, path, "at most 8 axes", std::to_string(rank));
  std::array<hsize_t, Shape::kMaxRank> sizes{};
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  std::vector<std::int64_t> signed_sizes;
  for (int axis = 0; axis < rank; ++axis) {
    const hsize_t size = sizes[static_cast<std::size_t>(axis)];
    if (size > static_cast<hsize_t>(std::numeric_limits<std::int64_t>::max()))
      refuse(name, path, "a size that memory can hold", std::to_string(size));
    signed_sizes.push_back(static_cast<std::int64_t>(size));
  }
  try {
    return Shape(signed_sizes);
  } catch (const ShapeError& error) {
    refuse(name, path, "a shape that memory can hold", error.what());
  }
}

/// Refuses filters that are not known to be safe; returns whether the data are compressed.
bool check_filters(hid_t create, const std::string& name, const std::string& path) {
  bool compressed = false;
  const int count = H5Pget_nfilters(create);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(create, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      refuse(name, path, "no filter but deflate, shuffle and fletcher32", fmt::format("filter {}", filter));
    compressed = compressed || filter == H5Z_FILTER_DEFLATE;
  }
  return compressed;
}

void check_chunks(hid_t create, std::int64_t elements, const std::string& name, const std::string& path) {
  std::array<hsize_t, Shape::kMaxRank> sizes{};
  const int rank = H5Pget_chunk(create, Shape::kMaxRank, sizes.data());
  double chunk = 1;
  for (int axis = 0; axis < rank; ++axis) chunk *= static_cast<double>(sizes[static_cast<std::size_t>(axis)]);
  constexpr double kSmall = 1 << 20;
  if (chunk > std::max(kSmall, 4.0 * static_cast<double>(elements)))
    refuse(name, path, "chunks no larger than the data", fmt::format("chunks of {} elements", chunk));
}

}  // namespace

Hdf5Info inspect(hid_t dataset, const std::string& name, std::size_t stored_bytes, const std::string& path) {
  const Hdf5Id type(H5Dget_type(dataset), H5Tclose);
  const Hdf5Id create(H5Dget_create_plist(dataset), H5Pclose);
  if (type < 0 || create < 0) throw_hdf5_error("read about \"" + name + "\"", path);
  Hdf5Info info{shape_of(dataset, name, path), dtype_of_file(type), {}};
  info.type = info.dtype ? evenkeel::name(*info.dtype) : type_text(type);
  const H5D_layout_t layout = H5Pget_layout(create);
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT)
    refuse(name, path, "data in this file", "virtual storage");
  if (H5Pget_external_count(create) != 0) refuse(name, path, "data in this file", "external storage");
  const bool compressed = check_filters(create, name, path);
  if (layout == H5D_CHUNKED) check_chunks(create, info.shape.numel(), name, path);
  // Deflate makes data at most 1032 times smaller.
  const double limit = static_cast<double>(stored_bytes) * (compressed ? 1032 : 1);
  const double declared = static_cast<double>(info.shape.numel()) * static_cast<double>(H5Tget_size(type));
  if (declared > limit)
    refuse(name, path, fmt::format("at most {} bytes", limit), fmt::format("{} bytes declared", declared));
  return info;
}

Hdf5Reader::Hdf5Reader(std::vector<std::byte> bytes, std::string path)
    : bytes_(std::move(bytes)), path_(std::move(path)) {
  const Hdf5Quiet quiet;
  const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, 1 << 16, false);
  // HDF5 reads our memory where it is: "allocating" hands it over, copying and freeing do nothing.
  H5FD_file_image_callbacks_t callbacks{};
  callbacks.image_malloc = [](size_t, H5FD_file_image_op_t, void* data) { return data; };
  callbacks.image_memcpy = [](void* to, const void*, size_t, H5FD_file_image_op_t, void*) { return to; };
  callbacks.image_free = [](void*, H5FD_file_image_op_t, void*) -> herr_t { return 0; };
  callbacks.udata_copy = [](void* data) { return data; };
  callbacks.udata_free = [](void*) -> herr_t { return 0; };
  callbacks.udata = bytes_.data();
  H5Pset_file_image_callbacks(access, &callbacks);
  H5Pset_file_image(access, bytes_.data(), bytes_.size());
  file_ = Hdf5Id(H5Fopen(unique_file_name().c_str(), H5F_ACC_RDONLY, access), H5Fclose);
  if (file_ < 0) throw_hdf5_error("find an HDF5 file", path_);
}

Hdf5Reader::Names Hdf5Reader::names(const std::string& group) const {
  const Hdf5Quiet quiet;
  const Hdf5Id id(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), H5Gclose);
  if (id < 0) throw_hdf5_error("open the group " + group, path_);
  std::vector<std::string> links;
  const auto collect = [](hid_t, const char* name, const H5L_info_t* info, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->push_back(name);
    return info->type == H5L_TYPE_HARD ? 0 : 1;
  };
  hsize_t at = 0;
  const herr_t status = H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &at, collect, &links);
  if (status < 0) throw_hdf5_error("list the group " + group, path_);
  if (status > 0) refuse(links.back(), path_, "an object of this file", "a soft or external link");
  Names names;
  for (std::string& link : links) {
    const Hdf5Id object(H5Oopen(id, link.c_str(), H5P_DEFAULT), H5Oclose);
    if (object < 0) throw_hdf5_error("open \"" + link + "\"", path_);
    const H5I_type_t kind = H5Iget_type(object);
    if (kind != H5I_DATASET && kind != H5I_GROUP)
      refuse(link, path_, "a dataset or a group", "another object");
    (kind == H5I_DATASET ? names.datasets : names.groups).push_back(std::move(link));
  }
  return names;
}

Hdf5Id Hdf5Reader::open(const std::string& dataset) const {
  Hdf5Id id(H5Dopen2(file_, dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (id < 0) throw_hdf5_error("open the dataset \"" + dataset + "\"", path_);
  return id;
}

Hdf5Info Hdf5Reader::info(const std::string& dataset) const {
  const Hdf5Quiet quiet;
  return inspect(open(dataset), dataset, bytes_.size(), path_);
}

Tensor Hdf5Reader::read(const std::string& dataset) const {
  const Hdf5Quiet quiet;
  const Hdf5Id id = open(dataset);
  const Hdf5Info info = inspect(id, dataset, bytes_.size(), path_);
  if (!info.dtype) refuse(dataset, path_, "f32, f64 or i64", info.type);
  Tensor tensor = Tensor::empty(info.shape, *info.dtype);
  if (tensor.numel() == 0) return tensor;
  evenkeel::detail::dispatch_all(*info.dtype, [&]<class T>() {
    if (H5Dread(id, hdf5_type(*info.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.mutable_data<T>()) < 0)
      throw_hdf5_error("read the dataset \"" + dataset + "\"", path_);
  });
  return tensor;
}

Hdf5Id Hdf5Reader::open_attribute(const std::string& object, const char* attribute) const {
  const htri_t exists = H5Aexists_by_name(file_, object.c_str(), attribute, H5P_DEFAULT);
  Hdf5Id id;
  if (exists > 0)
    id = Hdf5Id(H5Aopen_by_name(file_, object.c_str(), attribute, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (exists < 0 || (exists > 0 && id < 0))
    throw_hdf5_error(fmt::format("open the attribute {} of \"{}\"", attribute, object), path_);
  if (exists > 0) {
    const Hdf5Id space(H5Aget_space(id), H5Sclose);
    if (H5Sget_simple_extent_type(space) != H5S_SCALAR)
      refuse(object, path_, fmt::format("one value in the attribute {}", attribute), "an array");
  }
  return id;
}

std::optional<std::string> Hdf5Reader::text(const std::string& object, const char* attribute) const {
  const Hdf5Quiet quiet;
  const Hdf5Id id = open_attribute(object, attribute);
  if (id < 0) return {};
  const Hdf5Id type(H5Aget_type(id), H5Tclose);
  constexpr std::size_t kLongest = 4096;
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || H5Tget_size(type) > kLongest)
    refuse(object, path_, fmt::format("a fixed-length string in the attribute {}", attribute),
           H5Tis_variable_str(type) > 0 ? "one of variable length; write it as np.bytes_(…) with h5py"
                                        : type_text(type));
  std::string value(H5Tget_size(type), '\0');
  if (H5Aread(id, type, value.data()) < 0)
    throw_hdf5_error(fmt::format("read the attribute {} of \"{}\"", attribute, object), path_);
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

std::optional<std::int64_t> Hdf5Reader::number(const std::string& object, const char* attribute) const {
  const Hdf5Quiet quiet;
  const Hdf5Id id = open_attribute(object, attribute);
  if (id < 0) return {};
  const Hdf5Id type(H5Aget_type(id), H5Tclose);
  if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) > 8)
    refuse(object, path_, fmt::format("a whole number in the attribute {}", attribute), type_text(type));
  std::int64_t value = 0;
  if (H5Aread(id, H5T_NATIVE_INT64, &value) < 0)
    throw_hdf5_error(fmt::format("read the attribute {} of \"{}\"", attribute, object), path_);
  return value;
}

}  // namespace evenkeel::io::detail
