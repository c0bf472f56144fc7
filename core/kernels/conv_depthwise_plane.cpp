#include <evenkeel/core/kernels/conv_depthwise_plane.h>
#include <evenkeel/core/kernels/conv_depthwise_share.h>
#include <evenkeel/core/kernels/conv_tile.h>
#include <evenkeel/core/kernels/row_copy.h>
#include <evenkeel/core/kernels/scratch.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kFrameBytes = 256 << 10;

/// A plane of cells in a frame of zeros, wide enough for whole vectors of results: result r of row h reads
/// cells r + h * row_step() + offset[tap]. With a stride, cells whose places in a row differ by it are
/// neighbours: the even ones are a frame, the odd ones another behind it.
template <class T>
struct Frame {
  using S = Simd<T>;

  /// With `turned`, which needs unit strides, results are the cells and read the outs.
  Frame(const ConvGeometry& g, bool turned) {
    const Correlation c = forward_correlation(g);
    source = turned ? c.out : c.source;
    target = turned ? c.source : c.out;
    step = c.step;
    std::array<std::vector<std::int64_t>, 3> at = c.at;
    for (int axis = 0; axis < 3; ++axis) {
      for (std::int64_t& shift : at[axis]) shift = turned ? -shift : shift;
      const auto [least, most] = std::minmax_element(at[axis].begin(), at[axis].end());
      low[axis] = *least;
      size[axis] = (target[axis] - 1) * step[axis] + 1 + *most - *least;
    }
    size[2] = ceil_div(target[2], S::kLanes) * S::kLanes + (size[2] - 1) / step[2] + 1 - target[2];
    for (const std::int64_t d : at[0])
      for (const std::int64_t h : at[1])
        for (const std::int64_t w : at[2])
          offset.push_back((w - low[2]) % step[2] * part() + ((d - low[0]) * size[1] + h - low[1]) * size[2] +
                           (w - low[2]) / step[2]);
  }

  std::int64_t taps() const { return static_cast<std::int64_t>(offset.size()); }
  /// Elements of the even or of the odd cells, and of what a copied row may write beyond its end.
  std::int64_t part() const { return product(size) + S::kLanes; }
  std::int64_t cells() const { return step[2] * part(); }
  std::int64_t row_step() const { return step[1] * size[2]; }

  /// Copies a plane into a frame that was zero, or held another plane.
  void fill(const T* plane, T* frame) const {
    // A copied row ends in zeros, which may go beyond its end.
    const std::int64_t end = std::min(source[2], low[2] + size[2] * step[2]);
    if (step[2] == 1) return fill_rows(RowCopy<T>(end, low[2], 1, size[2]), plane, frame);
    RowSplit<T, 2> split(end, low[2], size[2]);
    split.want(0, 0);
    split.want(1, part());
    fill_rows(split, plane, frame);
  }

  /// Calls f(first result in the target plane, its cell in the frame) for every `some`-th row of results, and
  /// the number of rows up to the next.
  template <class F>
  void each_rows(std::int64_t some, F&& f) const {
    for (std::int64_t d = 0; d < target[0]; ++d)
      for (std::int64_t h = 0; h < target[1]; h += some)
        f((d * target[1] + h) * target[2], d * step[0] * size[1] * size[2] + h * row_step(),
          std::min(some, target[1] - h));
  }

  Sizes3 source, target, step, size, low;
  std::vector<std::int64_t> offset;

 private:
  template <class Row>
  void fill_rows(const Row& row, const T* plane, T* frame) const {
    const IndexRange deep = inside(size[0], 1, low[0], source[0]),
                     high = inside(size[1], 1, low[1], source[1]);
    for (std::int64_t d = deep.begin; d < deep.end; ++d)
      for (std::int64_t h = high.begin; h < high.end; ++h)
        row.copy(plane + ((d + low[0]) * source[1] + h + low[1]) * source[2], product(source),
                 frame + (d * size[1] + h) * size[2]);
  }
};

/// A block of results: kRows rows of kVectors vectors, of which `count` columns are to be stored.
template <class T, int kRows, int kVectors>
void result_block(const Frame<T>& frame, const T* from, const T* w, T start, bool add, T* to,
                  std::int64_t count) {
  using S = Simd<T>;
  typename S::Vector sum[kRows][kVectors];
  for (auto& row : sum)
    for (auto& s : row) s = start - typename S::Vector{};
  const std::int64_t pitch = frame.row_step(), taps = frame.taps();
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const T* cells = from + frame.offset[tap];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[r][v] += w[tap] * S::load(cells + r * pitch + v * S::kLanes);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r, to += frame.target[2])
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      if (add) sum[r][v] += S::load_between(to, v * S::kLanes, 0, count);
      S::store_some(to + v * S::kLanes, sum[r][v], count - v * S::kLanes);
    }
}

template <class T, int kRows>
void result_rows(const Frame<T>& frame, const T* from, const T* w, T start, bool add, T* to) {
  constexpr std::int64_t kLanes = Simd<T>::kLanes;
  const std::int64_t width = frame.target[2];
  std::int64_t i = 0;
  for (; i + kLanes < width; i += 2 * kLanes)
    result_block<T, kRows, 2>(frame, from + i, w, start, add, to + i, width - i);
  if (i < width) result_block<T, kRows, 1>(frame, from + i, w, start, add, to + i, width - i);
}

template <class T>
void run_planes(const ConvGeometry& g, bool turned, const T* source, const T* w, const T* bias, bool add,
                T* target) {
  const Frame<T> frame(g, turned);
  const std::int64_t grain = depthwise_grain(product(frame.target) * frame.taps());
  detail::parallel_shares(g.batch * g.groups, grain, [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> framed(static_cast<std::size_t>(frame.cells()));
    std::fill_n(framed.data(), frame.cells(), T(0));
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t channel = plane % g.groups;
      frame.fill(source + plane * product(frame.source), framed.data());
      const T* weights = w + channel * frame.taps();
      const T start = bias != nullptr ? bias[channel] : T(0);
      T* results = target + plane * product(frame.target);
      frame.each_rows(4, [&](std::int64_t to, std::int64_t from, std::int64_t rows) {
        constexpr decltype(&result_rows<T, 1>) kRows[] = {result_rows<T, 1>, result_rows<T, 2>,
                                                          result_rows<T, 3>, result_rows<T, 4>};
        kRows[rows - 1](frame, framed.data() + from, weights, start, add, results + to);
      });
    }
  });
}

/// sum[tap][lane] += gradient times cells over a plane, for kTaps taps from `first` on.
template <class T, int kTaps>
void weight_part(const Frame<T>& frame, std::int64_t first, const T* framed, const T* gradient, T* sum) {
  using S = Simd<T>;
  const T* cells[kTaps];
  for (int k = 0; k < kTaps; ++k) cells[k] = framed + frame.offset[first + k];
  typename S::Vector acc[kTaps] = {};
  const auto add = [&](typename S::Vector g, std::int64_t at) {
#pragma GCC unroll 10
    for (int k = 0; k < kTaps; ++k) acc[k] += g * S::load(cells[k] + at);
  };
  const std::int64_t width = frame.target[2], whole = width / S::kLanes * S::kLanes;
  const auto rest = S::lanes_between(whole, 0, width);
  frame.each_rows(1, [&](std::int64_t row, std::int64_t from, std::int64_t) {
    for (std::int64_t i = 0; i < whole; i += S::kLanes) add(S::load(gradient + row + i), from + i);
    if (whole < width) add(S::load_masked(gradient + row + whole, rest), from + whole);
  });
#pragma GCC unroll 10
  for (int k = 0; k < kTaps; ++k)
    S::store(sum + (first + k) * S::kLanes, S::load(sum + (first + k) * S::kLanes) + acc[k]);
}

template <class T>
void weight_plane(const Frame<T>& frame, const T* framed, const T* gradient, T* sum) {
  std::int64_t k = 0;
  const auto part = [&]<int kTaps>() {
    for (; k + kTaps <= frame.taps(); k += kTaps) weight_part<T, kTaps>(frame, k, framed, gradient, sum);
  };
  part.template operator()<9>();
  part.template operator()<5>();
  part.template operator()<2>();
  part.template operator()<1>();
}

}  // namespace

template <class T>
bool depthwise_by_planes(const ConvGeometry& g, DepthwisePass pass) {
  const bool turned = pass == DepthwisePass::input_grad;
  const Sizes3 stride = as_volume(g.rank, g.stride, 1), out = as_volume(g.rank, g.out, 1),
               in = as_volume(g.rank, g.in, 1);
  if (stride[2] > 2 || (turned && product(stride) != 1) || std::min(out[1], in[1]) < 2) return false;
  return Frame<T>(g, turned).cells() * static_cast<std::int64_t>(sizeof(T)) <= kFrameBytes;
}

template <class T>
void depthwise_planes_forward(const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  run_planes(g, false, x, w, bias, false, y);
}

template <class T>
void depthwise_planes_input_grad(const ConvGeometry& g, const T* gy, const T* w, T* gx, T beta) {
  run_planes<T>(g, true, gy, w, nullptr, beta != T(0), gx);
}

template <class T>
void depthwise_planes_weight_grad(const ConvGeometry& g, const T* x, const T* gy, T* gw, T beta) {
  const Frame<T> frame(g, false);
  const auto make_add = [&] {
    ScratchVector<T> framed(static_cast<std::size_t>(frame.cells()));
    return [&frame, framed = std::move(framed)](const T* plane, const T* gradient, T* sums) mutable {
      frame.fill(plane, framed.data());
      weight_plane(frame, framed.data(), gradient, sums);
    };
  };
  depthwise_weight_sums(g, make_add, x, gy, gw, beta);
}

#define EVENKEEL_INSTANTIATE(T)                                                                  \
  template bool depthwise_by_planes<T>(const ConvGeometry&, DepthwisePass);                      \
  template void depthwise_planes_forward(const ConvGeometry&, const T*, const T*, const T*, T*); \
  template void depthwise_planes_input_grad(const ConvGeometry&, const T*, const T*, T*, T);     \
  template void depthwise_planes_weight_grad(const ConvGeometry&, const T*, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
