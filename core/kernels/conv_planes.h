#pragma once

#include <algorithm>
#include <cstdint>

namespace evenkeel::kernels {

/// Where a product of matrices whose columns are the cells of all images, one image after another, leaves its
/// results (see multiply): in the planes of a group's channels.
struct Planes {
  float* target;              ///< the first plane
  std::int64_t image_stride;  ///< distance of images
  std::int64_t pitch;         ///< cells of a plane
  bool add;
  const float* bias = nullptr;
  static constexpr bool kMatrix = false;

  /// f(at, count, image, cell) for the pieces of columns [j, j + width) that lie in one image.
  template <class F>
  void each_image(std::int64_t j, std::int64_t width, F&& f) const {
    for (std::int64_t at = 0; at < width;) {
      const std::int64_t image = (j + at) / pitch, cell = (j + at) % pitch;
      const std::int64_t count = std::min(width - at, pitch - cell);
      f(at, count, image, cell);
      at += count;
    }
  }

  float* whole(std::int64_t j, std::int64_t width) const {
    if (j % pitch + width > pitch) return nullptr;
    return target + j / pitch * image_stride + j % pitch;
  }

  template <class F>
  void each_piece(std::int64_t j, std::int64_t width, F&& f) const {
    each_image(j, width, [&](std::int64_t at, std::int64_t count, std::int64_t image, std::int64_t cell) {
      f(at, count, target + image * image_stride + cell);
    });
  }
};

}  // namespace evenkeel::kernels
