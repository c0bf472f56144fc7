#pragma once

#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/spatial.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace evenkeel::kernels {

/// Input cells begin, begin + step, … < end that output index o of one axis looks at, and how many count for
/// the mean.
struct Window {
  std::int64_t begin, end, step;
  std::int64_t counted;
};

struct Windows {
  Sizes3 in, out;
  std::array<ScratchVector<Window>, 3> axis;
  // Of the last axis; stride 0 where the windows are not evenly spaced.
  std::int64_t kernel = 0, stride = 0, dilation = 1, padding = 0;
};

inline Windows windows_of(const PoolGeometry& g, bool count_padding) {
  Windows w;
  w.in = as_volume(g.rank, g.in, 1);
  w.out = as_volume(g.rank, g.out, 1);
  const Sizes3 kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 stride = as_volume(g.rank, g.stride, 1);
  const Sizes3 dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  w.kernel = kernel[2];
  w.stride = stride[2];
  w.dilation = dilation[2];
  w.padding = padding[2];
  for (int a = 0; a < 3; ++a) {
    w.axis[a].reserve(static_cast<std::size_t>(w.out[a]));
    for (std::int64_t o = 0; o < w.out[a]; ++o) {
      const std::int64_t start = o * stride[a] - padding[a];
      const IndexRange k = inside(kernel[a], dilation[a], start, w.in[a]);
      const std::int64_t padded_end = std::min(start + kernel[a], w.in[a] + padding[a]);
      const std::int64_t begin = start + k.begin * dilation[a];
      const std::int64_t end = k.end > k.begin ? start + (k.end - 1) * dilation[a] + 1 : begin;
      w.axis[a].push_back({begin, end, dilation[a], count_padding ? padded_end - start : k.end - k.begin});
    }
  }
  return w;
}

/// Planes worth handing to another thread.
inline std::int64_t planes_a_piece(const Windows& windows) {
  constexpr std::int64_t kPiece = 1 << 14, kLeastRow = 16;  // cells; what even the shortest row costs
  const auto cells = [=](const Sizes3& size) { return size[0] * size[1] * std::max(size[2], kLeastRow); };
  return std::max<std::int64_t>(1,
                                kPiece / std::max({cells(windows.in), cells(windows.out), std::int64_t{1}}));
}

}  // namespace evenkeel::kernels
