#include <evenkeel/core/kernels/pool.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>

#include <algorithm>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// Input cells begin, begin + step, … < end that output index o of one axis looks at, and how many count for
/// the mean.
struct Window {
  std::int64_t begin, end, step;
  std::int64_t counted;
};

struct Windows {
  Sizes3 in, out;
  std::array<std::vector<Window>, 3> axis;

  /// Calls f(flat output index, d, h, w windows) for the cells of one plane.
  template <class F>
  void each(F&& f) const {
    std::int64_t o = 0;
    for (const Window& d : axis[0])
      for (const Window& h : axis[1])
        for (const Window& w : axis[2]) f(o++, d, h, w);
  }
};

Windows windows_of(const PoolGeometry& g, bool count_padding) {
  Windows w{as_volume(g.rank, g.in, 1), as_volume(g.rank, g.out, 1), {}};
  const Sizes3 kernel = as_volume(g.rank, g.kernel, 1);
  const Sizes3 stride = as_volume(g.rank, g.stride, 1);
  const Sizes3 dilation = as_volume(g.rank, g.dilation, 1);
  const Sizes3 padding = as_volume(g.rank, g.padding, 0);
  for (int a = 0; a < 3; ++a) {
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

Windows adaptive_windows(const PoolGeometry& g) {
  Windows w{as_volume(g.rank, g.in, 1), as_volume(g.rank, g.out, 1), {}};
  for (int a = 0; a < 3; ++a) {
    for (std::int64_t o = 0; o < w.out[a]; ++o) {
      const std::int64_t begin = o * w.in[a] / w.out[a];
      const std::int64_t end = ceil_div((o + 1) * w.in[a], w.out[a]);
      w.axis[a].push_back({begin, end, 1, end - begin});
    }
  }
  return w;
}

template <class F>
void each_plane(const Windows& windows, std::int64_t planes, F&& f) {
  const std::int64_t cells = std::max<std::int64_t>(std::max(product(windows.in), product(windows.out)), 1);
  detail::parallel_ranges(planes, std::max<std::int64_t>(1, (1 << 14) / cells),
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t plane = begin; plane < end; ++plane) f(plane);
                          });
}

template <class T>
void average_forward(const Windows& windows, std::int64_t planes, const T* x, T* y) {
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  each_plane(windows, planes, [&](std::int64_t plane) {
    const T* in = x + plane * in_cells;
    T* out = y + plane * out_cells;
    windows.each([&](std::int64_t o, const Window& d, const Window& h, const Window& w) {
      T sum = 0;
      for (std::int64_t i = d.begin; i < d.end; ++i)
        for (std::int64_t j = h.begin; j < h.end; ++j)
          for (std::int64_t k = w.begin; k < w.end; ++k)
            sum += in[(i * windows.in[1] + j) * windows.in[2] + k];
      out[o] = sum / static_cast<T>(d.counted * h.counted * w.counted);
    });
  });
}

template <class T>
void average_backward(const Windows& windows, std::int64_t planes, const T* gy, T* gx, T beta) {
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  each_plane(windows, planes, [&](std::int64_t plane) {
    T* in = gx + plane * in_cells;
    const T* out = gy + plane * out_cells;
    if (beta == T(0)) std::fill_n(in, in_cells, T(0));
    windows.each([&](std::int64_t o, const Window& d, const Window& h, const Window& w) {
      const T share = out[o] / static_cast<T>(d.counted * h.counted * w.counted);
      for (std::int64_t i = d.begin; i < d.end; ++i)
        for (std::int64_t j = h.begin; j < h.end; ++j)
          for (std::int64_t k = w.begin; k < w.end; ++k)
            in[(i * windows.in[1] + j) * windows.in[2] + k] += share;
    });
  });
}

}  // namespace

template <class T>
void max_pool_forward(const PoolGeometry& g, const T* x, T* y, std::int64_t* argmax) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  each_plane(windows, g.planes, [&](std::int64_t plane) {
    const T* in = x + plane * in_cells;
    T* out = y + plane * out_cells;
    windows.each([&](std::int64_t o, const Window& d, const Window& h, const Window& w) {
      std::int64_t best = (d.begin * windows.in[1] + h.begin) * windows.in[2] + w.begin;
      T value = in[best];
      for (std::int64_t i = d.begin; i < d.end; i += d.step)
        for (std::int64_t j = h.begin; j < h.end; j += h.step)
          for (std::int64_t k = w.begin; k < w.end; k += w.step) {
            const std::int64_t at = (i * windows.in[1] + j) * windows.in[2] + k;
            if (in[at] > value || in[at] != in[at]) {
              value = in[at];
              best = at;
            }
          }
      out[o] = value;
      if (argmax != nullptr) argmax[plane * out_cells + o] = best;
    });
  });
}

template <class T>
void max_pool_backward(const PoolGeometry& g, const T* gy, const std::int64_t* argmax, T* gx, T beta) {
  const Windows windows = windows_of(g, false);
  const std::int64_t in_cells = product(windows.in);
  const std::int64_t out_cells = product(windows.out);
  each_plane(windows, g.planes, [&](std::int64_t plane) {
    T* in = gx + plane * in_cells;
    if (beta == T(0)) std::fill_n(in, in_cells, T(0));
    for (std::int64_t o = plane * out_cells; o < (plane + 1) * out_cells; ++o) in[argmax[o]] += gy[o];
  });
}

template <class T>
void avg_pool_forward(const PoolGeometry& g, bool count_include_pad, const T* x, T* y) {
  average_forward(windows_of(g, count_include_pad), g.planes, x, y);
}

template <class T>
void avg_pool_backward(const PoolGeometry& g, bool count_include_pad, const T* gy, T* gx, T beta) {
  average_backward(windows_of(g, count_include_pad), g.planes, gy, gx, beta);
}

template <class T>
void adaptive_avg_pool_forward(const PoolGeometry& g, const T* x, T* y) {
  average_forward(adaptive_windows(g), g.planes, x, y);
}

template <class T>
void adaptive_avg_pool_backward(const PoolGeometry& g, const T* gy, T* gx, T beta) {
  average_backward(adaptive_windows(g), g.planes, gy, gx, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                               \
  template void max_pool_forward(const PoolGeometry&, const T*, T*, std::int64_t*);           \
  template void max_pool_backward(const PoolGeometry&, const T*, const std::int64_t*, T*, T); \
  template void avg_pool_forward(const PoolGeometry&, bool, const T*, T*);                    \
  template void avg_pool_backward(const PoolGeometry&, bool, const T*, T*, T);                \
  template void adaptive_avg_pool_forward(const PoolGeometry&, const T*, T*);                 \
  template void adaptive_avg_pool_backward(const PoolGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
