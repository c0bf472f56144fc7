#include <evenkeel/io/hdf5.h>

#include <fmt/format.h>

#include <vector>

namespace evenkeel::io::detail {

Hdf5Writer::Hdf5Writer(std::size_t user_block, std::size_t expected_bytes) : user_block_(user_block) {
  const Hdf5Quiet quiet;
  const Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const Hdf5Id create(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  constexpr bool kBackingStore = false;
  H5Pset_fapl_core(access, expected_bytes + (1 << 16), kBackingStore);
  H5Pset_userblock(create, user_block);
  file_ = Hdf5Id(H5Fcreate(unique_file_name().c_str(), H5F_ACC_TRUNC, create, access), H5Fclose);
  if (file_ < 0) throw_hdf5_error("create a file", "memory");
}

void Hdf5Writer::group(const std::string& name) {
  const Hdf5Quiet quiet;
  const Hdf5Id group(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  if (group < 0) throw_hdf5_error("create the group " + name, "memory");
}

void Hdf5Writer::dataset(const std::string& name, const Tensor& tensor) {
  const Hdf5Quiet quiet;
  const std::vector<hsize_t> sizes(tensor.shape().begin(), tensor.shape().end());
  const Hdf5Id space(
      sizes.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(tensor.rank(), sizes.data(), nullptr),
      H5Sclose);
  const Hdf5Id create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(create, false);  // equal states give equal bytes
  H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
  const hid_t type = hdf5_type(tensor.dtype());
  const Hdf5Id dataset(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, create, H5P_DEFAULT),
                       H5Dclose);
  if (dataset < 0) throw_hdf5_error("create the dataset " + name, "memory");
  if (tensor.numel() == 0) return;
  const void* values = evenkeel::detail::dispatch_all(
      tensor.dtype(), [&]<class T>() -> const void* { return tensor.data<T>(); });
  if (H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
    throw_hdf5_error("write the dataset " + name, "memory");
}

void Hdf5Writer::attribute(const std::string& object, const char* name, hid_t type, const void* value) {
  const Hdf5Quiet quiet;
  const Hdf5Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Id attribute(
      H5Acreate_by_name(file_, object.c_str(), name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose);
  if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
    throw_hdf5_error(fmt::format("write the attribute {} of {}", name, object), "memory");
}

void Hdf5Writer::attribute(const std::string& object, const char* name, const std::string& text) {
  const Hdf5Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, text.size() + 1);
  attribute(object, name, type, text.c_str());
}

void Hdf5Writer::attribute(const std::string& object, const char* name, std::int64_t number) {
  attribute(object, name, H5T_STD_I64LE, &number);
}

std::vector<std::byte> Hdf5Writer::finish() {
  const Hdf5Quiet quiet;
  if (H5Fflush(file_, H5F_SCOPE_GLOBAL) < 0) throw_hdf5_error("finish the file", "memory");
  // HDF5 leaves the user block out of the image.
  const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
  if (size < 0) throw_hdf5_error("finish the file", "memory");
  std::vector<std::byte> bytes(user_block_ + static_cast<std::size_t>(size));
  if (H5Fget_file_image(file_, bytes.data() + user_block_, static_cast<std::size_t>(size)) != size)
    throw_hdf5_error("finish the file", "memory");
  file_ = {};
  return bytes;
}

}  // namespace evenkeel::io::detail
