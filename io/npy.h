#pragma once

#include <evenkeel/core/tensor.h>

#include <string>

namespace evenkeel::io {

/// Reads NumPy's .npy, versions 1 to 3, C order: f32 and f64 as they are, whole numbers of up to 64 bits (u64
/// not) and booleans as i64. FileError for Fortran order, other types, or a file that is not exactly what its
/// header says; no more memory is asked for than the file can fill.
Tensor read_npy(const std::string& path);

/// Writes version 1.0, all or nothing.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace evenkeel::io
