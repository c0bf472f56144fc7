#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/moments.h>
#include <evenkeel/core/kernels/norm.h>
#include <evenkeel/core/kernels/norm_columns.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/storage.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace evenkeel::kernels {

namespace {

constexpr std::int64_t kPiece = 1 << 14;

/// A row of x (batch * channels, size).
struct Row {
  std::int64_t index, channel, statistic;
};

/// Calls f(row) for each row of x, several rows a piece.
template <class F>
void each_row(const NormGeometry& g, F&& f) {
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(g.size, 1));
  detail::parallel_shares(g.batch * g.channels, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin, channel = begin % g.channels; row < end; ++row, ++channel) {
      if (channel == g.channels) channel = 0;
      const bool alone = g.groups == g.channels;
      f(Row{row, channel, g.groups == 0 ? channel : alone ? row : row / g.rows()});
    }
  });
}

/// Calls f(row) for the rows of statistic s, in order.
template <class F>
void rows_of_statistic(const NormGeometry& g, std::int64_t s, F&& f) {
  if (g.groups == 0) {
    for (std::int64_t n = 0; n < g.batch; ++n) f(n * g.channels + s);
  } else {
    const std::int64_t per_group = g.channels / g.groups;
    for (std::int64_t row = s * per_group; row < (s + 1) * per_group; ++row) f(row);
  }
}

}  // namespace

template <class T>
void moments(const NormGeometry& g, const T* x, T* mean, T* variance) {
  const detail::FlushDenormals flush;
  if (norm_columns_pay(g)) return column_moments(g, x, mean, variance);
  const std::int64_t rows = g.batch * g.channels;
  if (g.groups == g.channels)
    return each_row(g, [&](const Row& row) {
      const Moments of_row = moments_of(x + row.index * g.size, g.size);
      mean[row.index] = static_cast<T>(of_row.mean);
      variance[row.index] = static_cast<T>(of_row.variance());
    });
  detail::Workspace<Moments> partial(static_cast<std::size_t>(rows));
  each_row(g,
           [&](const Row& row) { partial.data()[row.index] = moments_of(x + row.index * g.size, g.size); });
  // Rows are equally long: what varies within them, and their means about their own mean.
  const auto of_row = 1 / static_cast<double>(std::max<std::int64_t>(g.size, 1));
  const auto of_statistic = 1 / static_cast<double>(std::max<std::int64_t>(g.rows(), 1));
  for (std::int64_t s = 0; s < g.statistics(); ++s) {
    double sum = 0, within = 0, between = 0;
    rows_of_statistic(g, s, [&](std::int64_t row) { sum += partial.data()[row].mean; });
    const double center = sum * of_statistic;
    rows_of_statistic(g, s, [&](std::int64_t row) {
      const double off = partial.data()[row].mean - center;
      within += partial.data()[row].deviation;
      between += off * off;
    });
    mean[s] = static_cast<T>(center);
    variance[s] = static_cast<T>((within * of_row + between) * of_statistic);
  }
}

template <class T>
void reciprocal_std(std::int64_t count, const T* variance, double eps, T* rstd) {
  constexpr std::int64_t kGrain = 1 << 12;
  detail::parallel_shares(count, kGrain, [=](std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
    for (std::int64_t i = begin; i < end; ++i)
      rstd[i] = static_cast<T>(1 / std::sqrt(static_cast<double>(variance[i]) + eps));
  });
}

namespace {

/// The numbers of a row: the activation's input is (x - center) * scale + shift.
template <class T>
struct Line {
  T center, scale, shift, slope;

  Line(const Row& row, const T* mean, const T* rstd, const T* weight, const T* bias,
       const NormActivation<T>& then) {
    const std::int64_t s = row.statistic, c = row.channel;
    center = mean[s];
    scale = weight != nullptr ? rstd[s] * weight[c] : rstd[s];
    shift = bias != nullptr ? bias[c] : T(0);
    slope = then.kind == NormActivation<T>::Kind::prelu ? then.slope[then.slopes == 1 ? 0 : c] : T(0);
  }
  /// Of an element, or of a vector of them.
  auto operator()(auto x) const { return (x - center) * scale + shift; }
};

/// The lines of all channels, for the columns of an item.
template <class T>
class AllLines {
 public:
  AllLines(const NormGeometry& g, const T* mean, const T* rstd, const T* weight, const T* bias,
           const NormActivation<T>& then)
      : columns_(g.channels * g.size), values_(static_cast<std::size_t>(4 * columns_)) {
    for (std::int64_t c = 0; c < g.channels; ++c) {
      const Line line(Row{c, c, c}, mean, rstd, weight, bias, then);
      T* to = values_.data() + c * g.size;
      for (const T value : {line.center, line.scale, line.shift, line.slope}) {
        for (std::int64_t i = 0; i < g.size; ++i) to[i] = value;
        to += columns_;
      }
    }
  }
  ColumnLines<T> lines() const {
    const T* at = values_.data();
    return {at, at + columns_, at + 2 * columns_, at + 3 * columns_};
  }

 private:
  std::int64_t columns_;
  detail::Workspace<T> values_;
};

/// Calls f with the gradient of the norm's output as a function of the input and of the output's gradient.
template <class T, class F>
void with_gradient(const NormActivation<T>& then, const Line<T>& line, F&& f) {
  if (then.kind == NormActivation<T>::Kind::none)
    f([](auto, auto gy) { return gy; });
  else
    f([=](auto x, auto gy) { return line(x) > T(0) ? gy : gy * line.slope; });
}

}  // namespace

template <class T>
void normalize_forward(const NormGeometry& g, const T* x, const T* mean, const T* rstd, const T* weight,
                       const T* bias, T* y, const NormActivation<T>& then) {
  using Kind = typename NormActivation<T>::Kind;
  if (norm_columns_pay(g))
    return column_forward(g, AllLines(g, mean, rstd, weight, bias, then).lines(), x, y, then.kind);
  each_row(g, [&](const Row& row) {
    const Line line(row, mean, rstd, weight, bias, then);
    const T* in = x + row.index * g.size;
    T* out = y + row.index * g.size;
    const auto write = [&](auto activate) {
      map_range(
          0, g.size, [=](std::int64_t i) { out[i] = activate(line(in[i])); }, in, out);
    };
    if (then.kind == Kind::none)
      write([](T z) { return z; });
    else if (then.kind == Kind::relu)
      write([](T z) { return z < 0 ? T(0) : z; });
    else
      write([slope = line.slope](T z) { return z > 0 ? z : slope * z; });
  });
}

template <class T>
void normalize_backward(const NormGeometry& g, bool from_input, const T* x, const T* gy, const T* mean,
                        const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias,
                        T parameter_beta, const NormActivation<T>& then, const T* bias, T* gslope) {
  const detail::FlushDenormals flush;
  // A row's sum of gy, and of gy * normalised x; gy from here on is the gradient of the norm's output. By
  // columns all rows of a channel count as one.
  const bool by_columns = norm_columns_pay(g);
  const bool takes_sums = from_input || gweight != nullptr || gbias != nullptr || gslope != nullptr;
  const std::int64_t items = by_columns ? 1 : g.batch;
  const auto rows = static_cast<std::size_t>(items * g.channels);
  detail::Workspace<GradientSums> sums(rows);
  detail::Workspace<double> slope_sums(gslope != nullptr ? rows : 0);
  const auto line_of = [&](const Row& row) { return Line(row, mean, rstd, weight, bias, then); };
  const auto sum_row = [&](const Row& row, const Line<T>& line) {
    const T* in = x + row.index * g.size;
    const T* out = gy + row.index * g.size;
    with_gradient(then, line, [&](auto gradient) {
      sums.data()[row.index] = gradient_sums(
          in, [=](auto read) { return gradient(read(in), read(out)); }, g.size, line.center, in, out);
    });
    sums.data()[row.index].product *= static_cast<double>(rstd[row.statistic]);
    if (gslope != nullptr)
      slope_sums.data()[row.index] = static_cast<double>(vector_sums<T, 1>(0, g.size, [=](auto read) {
        const auto z = line(read(in));
        return std::array{read(out) * (z > T(0) ? typename Simd<T>::Vector{} : z)};
      })[0]);
  };
  // gx = rstd * (w gy - mean(w gy) - normalised x * mean(w gy * normalised x)), means over the statistic: as
  // scale * gy - slope * (x - center) - level.
  const double of_element = 1 / static_cast<double>(g.elements());
  const auto add_share = [&](std::int64_t row, std::int64_t channel, GradientSums& means) {
    const T of_channel = weight != nullptr ? weight[channel] : T(1);
    means.add(sums.data()[row], static_cast<double>(of_channel) * of_element);
  };
  const auto apply = [&](const Row& row, const Line<T>& line, const GradientSums& means) {
    const T r = rstd[row.statistic];
    const T slope = r * r * static_cast<T>(means.product);
    const T level = r * static_cast<T>(means.gradient);
    const T* in = x + row.index * g.size;
    const T* out = gy + row.index * g.size;
    T* to = gx + row.index * g.size;
    with_gradient(then, line, [&](auto gradient) {
      const auto value = [=](std::int64_t i) {
        return line.scale * gradient(in[i], out[i]) - slope * (in[i] - line.center) - level;
      };
      if (gx_beta == T(0))
        map_range(
            0, g.size, [=](std::int64_t i) { to[i] = value(i); }, in, out, to);
      else
        map_range(
            0, g.size, [=](std::int64_t i) { to[i] += value(i); }, in, out, to);
    });
  };

  if (by_columns) {
    const AllLines all(g, mean, rstd, weight, bias, then);
    const bool activated = then.kind != NormActivation<T>::Kind::none;
    if (takes_sums) {
      column_gradient_sums(g, all.lines(), x, gy, activated, sums.data(),
                           gslope != nullptr ? slope_sums.data() : nullptr);
      for (std::int64_t c = 0; c < g.channels; ++c) sums.data()[c].product *= static_cast<double>(rstd[c]);
    }
    if (gx != nullptr) {
      const std::int64_t columns = g.channels * g.size;
      detail::Workspace<T> slopes(static_cast<std::size_t>(columns)),
          levels(static_cast<std::size_t>(columns));
      for (std::int64_t c = 0; c < g.channels; ++c) {
        GradientSums means;
        if (from_input) add_share(c, c, means);
        std::fill_n(slopes.data() + c * g.size, g.size, rstd[c] * rstd[c] * static_cast<T>(means.product));
        std::fill_n(levels.data() + c * g.size, g.size, rstd[c] * static_cast<T>(means.gradient));
      }
      column_input_grad(g, all.lines(), x, gy, activated, slopes.data(), levels.data(), gx, gx_beta);
    }
  } else if (from_input && gx != nullptr && g.groups == g.channels) {
    // Each row has its own statistic: done with while it is in the cache.
    each_row(g, [&](const Row& row) {
      const Line line = line_of(row);
      sum_row(row, line);
      GradientSums means;
      add_share(row.index, row.channel, means);
      apply(row, line, means);
    });
  } else {
    if (takes_sums) each_row(g, [&](const Row& row) { sum_row(row, line_of(row)); });
    if (gx != nullptr) {
      detail::Workspace<GradientSums> means(static_cast<std::size_t>(g.statistics()));
      for (std::int64_t s = 0; s < g.statistics(); ++s) {
        means.data()[s] = GradientSums{};
        if (from_input)
          rows_of_statistic(g, s,
                            [&](std::int64_t row) { add_share(row, row % g.channels, means.data()[s]); });
      }
      each_row(g, [&](const Row& row) { apply(row, line_of(row), means.data()[row.statistic]); });
    }
  }

  const auto store = [&](T* at, double value) {
    *at = static_cast<T>(parameter_beta == T(0) ? value : value + static_cast<double>(parameter_beta * *at));
  };
  for (std::int64_t c = 0; c < g.channels && (gweight != nullptr || gbias != nullptr); ++c) {
    GradientSums all;
    for (std::int64_t n = 0; n < items; ++n) all.add(sums.data()[n * g.channels + c], 1.0);
    if (gweight != nullptr) store(gweight + c, all.product);
    if (gbias != nullptr) store(gbias + c, all.gradient);
  }
  for (std::int64_t slope = 0; gslope != nullptr && slope < then.slopes; ++slope) {
    double all = 0;
    for (std::int64_t row = slope; row < items * g.channels; row += then.slopes)
      all += slope_sums.data()[row];
    store(gslope + slope, all);
  }
}

#define EVENKEEL_INSTANTIATE(T)                                                                              \
  template void moments(const NormGeometry&, const T*, T*, T*);                                              \
  template void reciprocal_std(std::int64_t, const T*, double, T*);                                          \
  template void normalize_forward(const NormGeometry&, const T*, const T*, const T*, const T*, const T*, T*, \
                                  const NormActivation<T>&);                                                 \
  template void normalize_backward(const NormGeometry&, bool, const T*, const T*, const T*, const T*,        \
                                   const T*, T*, T, T*, T*, T, const NormActivation<T>&, const T*, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
