#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// to[i][r] = from[r * pitch + i] for i < count, r < lanes; rows beyond `rows` count as zero.
template <class T>
void transpose_to_lanes(const T* from, std::int64_t pitch, std::int64_t count, int rows, T* to,
                        std::int64_t ld);

/// to[i * ld + r] = from[r][i] for i < count, r < lanes; reads whole vectors.
template <class T>
void gather_to_lanes(const T* const* from, std::int64_t count, T* to, std::int64_t ld);

/// to[i * columns + j] = from[i + j * step] for i < rows, j < columns.
template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t columns, std::int64_t step, T* to);

}  // namespace evenkeel::kernels
