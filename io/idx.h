#pragma once

#include <evenkeel/core/tensor.h>

#include <string>

namespace evenkeel::io {

/// Reads an IDX file, the form of MNIST and Fashion-MNIST, plain or compressed by gzip: 8-, 16- and 32-bit
/// whole numbers, f32 and f64, converted to `dtype` without scaling. FileError for a file that is not exactly
/// what its header says; no more memory is asked for than the file can fill.
Tensor read_idx(const std::string& path, DType dtype = DType::f32);

}  // namespace evenkeel::io
