#include <evenkeel/core/kernels/scratch.h>
#include <evenkeel/core/kernels/simd.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/kernels/upsample.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

namespace evenkeel::kernels {

namespace {

/// Along one axis, output o is near[o] * x[first[o]] + far[o] * x[second[o]]. Vectors may read beyond the
/// last factor.
template <class T>
struct Taps {
  explicit Taps(std::int64_t out)
      : first(static_cast<std::size_t>(out)),
        second(first.size()),
        near(first.size() + Simd<T>::kLanes),
        far(near.size()) {}
  ScratchVector<std::int32_t> first, second;
  ScratchVector<T> near, far;
};

/// Distance in x of neighbouring outputs: from the factor if the user gave one, else from the sizes.
template <class T>
T read_step(double scale, std::int64_t in, std::int64_t out) {
  return scale > 0 ? static_cast<T>(1.0 / scale) : static_cast<T>(in) / static_cast<T>(out);
}

ScratchVector<std::int32_t> nearest_taps(std::int64_t in, std::int64_t out, double scale) {
  ScratchVector<std::int32_t> taps(static_cast<std::size_t>(out));
  const auto step = read_step<float>(scale, in, out);
  for (std::int64_t o = 0; o < out; ++o) {
    std::int64_t cell = std::min(static_cast<std::int64_t>(std::floor(static_cast<float>(o) * step)), in - 1);
    if (out == in) cell = o;
    if (out == 2 * in) cell = o / 2;
    taps[o] = static_cast<std::int32_t>(cell);
  }
  return taps;
}

template <class T>
Taps<T> linear_taps(std::int64_t in, std::int64_t out, double scale, bool align_corners) {
  Taps<T> taps(out);
  T step = 0;
  if (!align_corners)
    step = read_step<T>(scale, in, out);
  else if (out > 1)
    step = static_cast<T>(in - 1) / static_cast<T>(out - 1);
  for (std::int64_t o = 0; o < out; ++o) {
    T at = static_cast<T>(o);
    if (out != in) at = align_corners ? step * at : std::max(step * (at + T(0.5)) - T(0.5), T(0));
    const std::int64_t index = out == in ? o : std::min(static_cast<std::int64_t>(std::floor(at)), in - 1);
    const T far = out == in ? T(0) : std::clamp(at - static_cast<T>(index), T(0), T(1));
    taps.first[o] = static_cast<std::int32_t>(index);
    taps.second[o] = static_cast<std::int32_t>(std::min(index + 1, in - 1));
    taps.near[o] = T(1) - far;
    taps.far[o] = far;
  }
  return taps;
}

template <class T>
struct Linear {
  explicit Linear(const UpsampleGeometry& g)
      : in(as_volume(g.rank, g.in, 1)), out(as_volume(g.rank, g.out, 1)) {
    for (int axis = 0; axis < 3; ++axis) {
      const int own = axis - (3 - g.rank);
      taps.push_back(
          linear_taps<T>(in[axis], out[axis], own >= 0 ? g.scale[own] : 0, own >= 0 && g.align_corners));
    }
  }

  /// Calls f(output row, input row, weight) for the up to four input rows that output row (d, h) mixes.
  template <class F>
  void rows_of(std::int64_t d, std::int64_t h, F&& f) const {
    const auto row = [&](std::int64_t id, std::int64_t ih, T weight) {
      if (weight != T(0)) f(id * in[1] + ih, weight);
    };
    const auto slice = [&](std::int64_t id, T weight) {
      row(id, taps[1].first[h], weight * taps[1].near[h]);
      row(id, taps[1].second[h], weight * taps[1].far[h]);
    };
    slice(taps[0].first[d], taps[0].near[d]);
    slice(taps[0].second[d], taps[0].far[d]);
  }

  Sizes3 in, out;
  std::vector<Taps<T>> taps;  ///< of each axis
};

/// Vectors of neighbouring outputs along an axis, each of which reads one stretch of cells that a permutation
/// spreads. The last vector may have less; outputs behind one whose cells are too far apart are left.
template <class T>
class Stretches {
 public:
  using S = Simd<T>;
  using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Lanes = typename Simd<Index>::Vector;
  static constexpr auto kLanes = static_cast<std::size_t>(S::kLanes);

  explicit Stretches(const ScratchVector<std::int32_t>& first) {
    lanes_.reserve(first.size() / kLanes + 1);
    for (std::size_t o = 0; o < first.size(); o += kLanes) {
      const std::size_t some = std::min(first.size() - o, kLanes);
      Lanes lanes{};
      for (std::size_t lane = 0; lane < some; ++lane) lanes[lane] = first[o + lane] - first[o];
      if (lanes[some - 1] >= static_cast<Index>(kLanes)) break;
      lanes_.push_back(lanes);
      outputs_ = o + some;
    }
  }

  std::size_t outputs() const { return outputs_; }
  typename S::Vector spread(typename S::Vector cells, std::size_t output) const {
    return permuted(cells, lanes_[output / kLanes]);
  }

 private:
  ScratchVector<Lanes> lanes_;
  std::size_t outputs_ = 0;
};

/// Mixes a row of input cells by the taps of the last axis.
template <class T>
class Mix {
 public:
  Mix(const Taps<T>& taps, std::int64_t in) : taps_(taps), stretches_(taps.first), last_(in) {
    if (in > S::kLanes) return;
    for (const auto& [cells, lanes] : {std::pair{&taps.first, &first_}, {&taps.second, &second_}})
      for (std::size_t o = 0; o < cells->size(); ++o) {
        if (o % kLanes == 0) lanes->emplace_back();
        lanes->back()[o % kLanes] = (*cells)[o];
      }
  }

  /// Whether a row is one vector.
  bool is_short() const { return !first_.empty(); }

  void run_short(typename Simd<T>::Vector row, T* out) const {
    for (std::size_t i = 0, o = 0; i < first_.size(); ++i, o += kLanes)
      S::store_some(out + o,
                    S::load(taps_.near.data() + o) * permuted(row, first_[i]) +
                        S::load(taps_.far.data() + o) * permuted(row, second_[i]),
                    static_cast<std::int64_t>(taps_.first.size() - o));
  }

  /// Elements that a row must have: cells behind the last repeat it or are not counted.
  std::int64_t room() const { return last_ + 1 + S::kLanes; }

  void run(T* row, T* out) const {
    row[last_] = row[last_ - 1];
    const T* near = taps_.near.data();
    const T* far = taps_.far.data();
    std::size_t o = 0;
    for (; o < stretches_.outputs(); o += Stretches<T>::kLanes) {
      const T* cells = row + taps_.first[o];
      S::store_some(out + o,
                    S::load(near + o) * stretches_.spread(S::load(cells), o) +
                        S::load(far + o) * stretches_.spread(S::load(cells + 1), o),
                    static_cast<std::int64_t>(stretches_.outputs() - o));
    }
    for (; o < taps_.first.size(); ++o) {
      const T* cells = row + taps_.first[o];
      out[o] = near[o] * cells[0] + far[o] * cells[1];
    }
  }

 private:
  using S = Simd<T>;
  static constexpr auto kLanes = static_cast<std::size_t>(S::kLanes);

  const Taps<T>& taps_;
  Stretches<T> stretches_;
  ScratchVector<typename Stretches<T>::Lanes> first_, second_;  ///< cells of the outputs of short rows
  std::int64_t last_;
};

std::int64_t planes_grain(std::int64_t cells) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(cells, 1));
}

struct Nearest {
  explicit Nearest(const UpsampleGeometry& g)
      : in(as_volume(g.rank, g.in, 1)), out(as_volume(g.rank, g.out, 1)) {
    const int first = 3 - g.rank;
    for (int axis = 0; axis < 3; ++axis)
      taps[axis] = nearest_taps(in[axis], out[axis], axis >= first ? g.scale[axis - first] : 0);
  }

  template <class F>
  void rows(F&& f) const {
    for (std::int64_t d = 0; d < out[0]; ++d)
      for (std::int64_t h = 0; h < out[1]; ++h) f(d * out[1] + h, taps[0][d] * in[1] + taps[1][h]);
  }

  Sizes3 in, out;
  std::array<ScratchVector<std::int32_t>, 3> taps;
};

}  // namespace

template <class T>
void upsample_nearest_forward(const UpsampleGeometry& g, const T* x, T* y) {
  using S = Simd<T>;
  const Nearest m(g);
  const std::int64_t in_cells = product(m.in);
  const std::int64_t out_cells = product(m.out);
  const Stretches<T> stretches(m.taps[2]);
  const auto spread_row = [&, columns = m.taps[2].data()](const T* in, T* out) {
    std::int64_t w = 0;
    for (; w < static_cast<std::int64_t>(stretches.outputs()); w += S::kLanes) {
      const auto cells = S::load_between(in, columns[w], 0, m.in[2]);
      S::store_some(out + w, stretches.spread(cells, static_cast<std::size_t>(w)),
                    static_cast<std::int64_t>(stretches.outputs()) - w);
    }
    for (; w < m.out[2]; ++w) out[w] = in[columns[w]];
  };
  detail::parallel_ranges(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      std::int64_t last = -1;
      m.rows([&](std::int64_t row, std::int64_t source) {
        T* out = y + plane * out_cells + row * m.out[2];
        if (source == last)
          std::copy_n(out - m.out[2], m.out[2], out);
        else
          spread_row(x + plane * in_cells + source * m.in[2], out);
        last = source;
      });
    }
  });
}

template <class T>
void upsample_nearest_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta) {
  const Nearest m(g);
  const std::int64_t in_cells = product(m.in);
  const std::int64_t out_cells = product(m.out);
  const bool doubled = m.out[2] == 2 * m.in[2];
  const auto add_row = [&, columns = m.taps[2].data()](const T* out, T* in) {
    if (doubled)
      for (std::int64_t w = 0; w < m.in[2]; ++w) in[w] += out[2 * w] + out[2 * w + 1];
    else
      for (std::int64_t w = 0; w < m.out[2]; ++w) in[columns[w]] += out[w];
  };
  detail::parallel_ranges(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      if (beta == T(0)) std::fill_n(gx + plane * in_cells, in_cells, T(0));
      m.rows([&](std::int64_t row, std::int64_t source) {
        add_row(gy + plane * out_cells + row * m.out[2], gx + plane * in_cells + source * m.in[2]);
      });
    }
  });
}

template <class T>
void upsample_linear_forward(const UpsampleGeometry& g, const T* x, T* y) {
  using S = Simd<T>;
  const Linear<T> m(g);
  const std::int64_t in_cells = product(m.in);
  const std::int64_t out_cells = product(m.out);
  const Mix<T> mix(m.taps[2], m.in[2]);
  const auto short_row = S::lanes_between(0, 0, m.in[2]);
  detail::parallel_ranges(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> mixed(static_cast<std::size_t>(mix.room()));
    T* line = mixed.data();
    std::fill_n(line, mix.room(), T(0));
    for (std::int64_t plane = begin; plane < end; ++plane)
      for (std::int64_t d = 0; d < m.out[0]; ++d)
        for (std::int64_t h = 0; h < m.out[1]; ++h) {
          T* out = y + plane * out_cells + (d * m.out[1] + h) * m.out[2];
          std::array<std::pair<const T*, T>, 4> rows;
          std::size_t count = 0;
          m.rows_of(d, h, [&](std::int64_t source, T weight) {
            rows[count++] = {x + plane * in_cells + source * m.in[2], weight};
          });
          const auto mixed_at = [&](auto load) {
            auto sum = rows[0].second * load(rows[0].first);
            for (std::size_t i = 1; i < count; ++i) sum += rows[i].second * load(rows[i].first);
            return sum;
          };
          if (mix.is_short()) {
            mix.run_short(mixed_at([&](const T* row) { return S::load_masked(row, short_row); }), out);
            continue;
          }
          std::int64_t w = 0;
          for (; w + S::kLanes <= m.in[2]; w += S::kLanes)
            S::store(line + w, mixed_at([w](const T* row) { return S::load(row + w); }));
          for (; w < m.in[2]; ++w) line[w] = mixed_at([w](const T* row) { return row[w]; });
          mix.run(line, out);
        }
  });
}

template <class T>
void upsample_linear_backward(const UpsampleGeometry& g, const T* gy, T* gx, T beta) {
  const Linear<T> m(g);
  const std::int64_t in_cells = product(m.in);
  const std::int64_t out_cells = product(m.out);
  detail::parallel_ranges(g.planes, planes_grain(out_cells), [&](std::int64_t begin, std::int64_t end) {
    detail::Workspace<T> mixed(static_cast<std::size_t>(m.in[2]));
    const std::int32_t* first = m.taps[2].first.data();
    const std::int32_t* second = m.taps[2].second.data();
    const T* near = m.taps[2].near.data();
    const T* far = m.taps[2].far.data();
    for (std::int64_t plane = begin; plane < end; ++plane) {
      if (beta == T(0)) std::fill_n(gx + plane * in_cells, in_cells, T(0));
      for (std::int64_t d = 0; d < m.out[0]; ++d)
        for (std::int64_t h = 0; h < m.out[1]; ++h) {
          T* line = mixed.data();
          std::fill_n(line, m.in[2], T(0));
          const T* out = gy + plane * out_cells + (d * m.out[1] + h) * m.out[2];
          for (std::int64_t w = 0; w < m.out[2]; ++w) {
            line[first[w]] += near[w] * out[w];
            line[second[w]] += far[w] * out[w];
          }
          m.rows_of(d, h, [&](std::int64_t source, T weight) {
            T* in = gx + plane * in_cells + source * m.in[2];
            for (std::int64_t w = 0; w < m.in[2]; ++w) in[w] += weight * line[w];
          });
        }
    }
  });
}

#define EVENKEEL_INSTANTIATE(T)                                                      \
  template void upsample_nearest_forward(const UpsampleGeometry&, const T*, T*);     \
  template void upsample_nearest_backward(const UpsampleGeometry&, const T*, T*, T); \
  template void upsample_linear_forward(const UpsampleGeometry&, const T*, T*);      \
  template void upsample_linear_backward(const UpsampleGeometry&, const T*, T*, T);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
