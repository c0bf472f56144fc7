#include <evenkeel/core/autograd.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/softmax.h>
#include <evenkeel/core/kernels/spatial.h>
#include <evenkeel/core/kernels/vmath.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/loss_sum.h>

#include <fmt/format.h>

#include <algorithm>

namespace evenkeel {

namespace {

/// x as (batch, classes, inner), labels as (batch, inner), and what the options make of them: the target of a
/// position has `peak`·weight[label] at its label, and `base`·weight[c] on top at every class c.
struct Problem {
  std::int64_t batch, classes, inner;
  Shape label_shape;
  std::int64_t ignore_index;
  double peak, base;

  Problem(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options)
      : ignore_index(options.ignore_index), peak(1 - options.label_smoothing) {
    detail::check_floating("cross_entropy", {x, options.weight});
    if (labels.dtype() != DType::i64)
      throw DTypeError(fmt::format("[cross_entropy] expected labels i64, got {}", name(labels.dtype())));
    if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
      throw ConfigError(
          fmt::format("[cross_entropy] expected label_smoothing of 0 to 1, got {}", options.label_smoothing));
    const int axis = x.rank() < 2 ? 0 : 1;
    if (x.rank() < 1 || labels.shape() != x.shape().without(axis))
      throw ShapeError(
          fmt::format("[cross_entropy] expected x (N, C, L…) or (C) and labels of its shape without "
                      "the classes, got {} and {}",
                      x.shape().str(), labels.shape().str()));
    batch = x.shape().slice(0, axis).numel();
    classes = x.dim(axis);
    inner = x.shape().slice(axis + 1, x.rank()).numel();
    label_shape = labels.shape();
    if (options.weight.defined() && options.weight.shape() != Shape{classes})
      throw ShapeError(fmt::format("[cross_entropy] expected a weight [{}], one a class, got {}", classes,
                                   options.weight.shape().str()));
    base = classes == 0 ? 0 : options.label_smoothing / static_cast<double>(classes);
    check_labels(labels);
  }

  void check_labels(const Tensor& labels) const {
    const auto* label = labels.data<std::int64_t>();
    for (std::int64_t i = 0; i < labels.numel(); ++i)
      if ((label[i] < 0 || label[i] >= classes) && label[i] != ignore_index)
        throw ValueError(
            fmt::format("[cross_entropy] expected labels from 0 to {} ({} classes) or ignore_index {}, "
                        "got the label {} at element {}",
                        classes - 1, classes, ignore_index, label[i], i));
  }

  std::int64_t positions() const { return batch * inner; }
  /// Where class 0 of a position is in x; its classes are `inner` apart.
  std::int64_t start(std::int64_t position) const {
    return position / inner * classes * inner + position % inner;
  }
};

template <class T>
struct Values {
  const Problem& problem;
  const std::int64_t* labels;
  const T* weight;  // or null
  const T* x;
  const T* largest;   // of each position's x
  const T* log_sum;   // of exp(x - largest)
  double weight_sum;  // over the classes

  Values(const Problem& p, const Tensor& label_tensor, const Tensor& class_weight, const Tensor& in,
         const Tensor& sums)
      : problem(p),
        labels(label_tensor.data<std::int64_t>()),
        weight(class_weight.defined() ? class_weight.data<T>() : nullptr),
        x(in.data<T>()),
        largest(sums.data<T>()),
        log_sum(largest + p.positions()),
        weight_sum(static_cast<double>(p.classes)) {
    if (weight == nullptr) return;
    weight_sum = 0;
    for (std::int64_t c = 0; c < p.classes; ++c) weight_sum += static_cast<double>(weight[c]);
  }

  T weight_of(std::int64_t c) const { return weight ? weight[c] : T(1); }
  bool counts(std::int64_t position) const { return labels[position] != problem.ignore_index; }

  T loss(std::int64_t position) const {
    if (!counts(position)) return 0;
    const auto log_softmax = [&, line = x + problem.start(position)](std::int64_t c) {
      return line[c * problem.inner] - largest[position] - log_sum[position];
    };
    const std::int64_t label = labels[position];
    T total = static_cast<T>(problem.peak) * weight_of(label) * log_softmax(label);
    if (problem.base == 0) return -total;
    T all = 0;
    for (std::int64_t c = 0; c < problem.classes; ++c) all += weight_of(c) * log_softmax(c);
    return -(total + static_cast<T>(problem.base) * all);
  }

  /// Sum of the weights of the labels that count.
  double total_weight() const {
    double total = 0;
    for (std::int64_t i = 0; i < problem.positions(); ++i)
      if (counts(i)) total += static_cast<double>(weight_of(labels[i]));
    return total;
  }

  /// gx[position, c] (+)= upstream · (softmax·Σ target - target), along what lies side by side in memory: a
  /// block of positions, or the classes.
  void gradient(const T* gy, bool each, T factor, T* gx, bool add) const {
    constexpr std::int64_t kBlock = 128;
    const std::int64_t inner = problem.inner, classes = problem.classes;
    const std::int64_t blocks = kernels::ceil_div(inner, kBlock);
    const std::int64_t cells = classes * std::max<std::int64_t>(1, std::min(inner, kBlock));
    const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, cells));
    detail::parallel_shares(problem.batch * blocks, grain, [&](std::int64_t begin, std::int64_t end) {
      T scale[kBlock], level[kBlock];
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = block / blocks * inner + block % blocks * kBlock;
        const std::int64_t count = std::min(kBlock, inner - block % blocks * kBlock);
        for (std::int64_t j = 0; j < count; ++j) {
          const bool in = counts(first + j);
          scale[j] = in ? factor * gy[each ? first + j : 0] : T(0);
          level[j] = in ? peak_at(first + j) + static_cast<T>(problem.base * weight_sum) : T(0);
        }
        const std::int64_t start = problem.start(first);
        if (inner == 1)
          along_classes(first, scale[0], level[0], gx + start, add);
        else
          along_positions(first, count, scale, level, gx + start, add);
        for (std::int64_t j = 0; j < count; ++j)
          if (counts(first + j)) gx[start + j + labels[first + j] * inner] -= scale[j] * peak_at(first + j);
      }
    });
  }

  T peak_at(std::int64_t position) const {
    return static_cast<T>(problem.peak) * weight_of(labels[position]);
  }

  void along_classes(std::int64_t position, T scale, T level, T* gx, bool add) const {
    const std::int64_t classes = problem.classes;
    if (scale == T(0)) {
      if (!add) std::fill_n(gx, classes, T(0));
      return;
    }
    const T top = largest[position], sum = log_sum[position], base = -scale * static_cast<T>(problem.base);
    const T* line = x + problem.start(position);
    for (std::int64_t c = 0; c < classes; ++c) {
      const T value = scale * level * kernels::vmath::exp_of_negative(line[c] - top - sum);
      gx[c] = add ? gx[c] + value : value;
    }
    if (base == T(0)) return;
    for (std::int64_t c = 0; c < classes; ++c) gx[c] += base * weight_of(c);
  }

  void along_positions(std::int64_t first, std::int64_t count, const T* scale, const T* level, T* gx,
                       bool add) const {
    const T *top = largest + first, *sum = log_sum + first;
    for (std::int64_t c = 0; c < problem.classes; ++c) {
      const T base = static_cast<T>(problem.base) * weight_of(c);
      const T* line = x + problem.start(first) + c * problem.inner;
      T* out = gx + c * problem.inner;
      for (std::int64_t j = 0; j < count; ++j) {
        const T softmax = kernels::vmath::exp_of_negative(line[j] - top[j] - sum[j]);
        const T value = scale[j] * (level[j] * softmax - base);
        out[j] = (scale[j] == T(0) ? T(0) : value) + (add ? out[j] : T(0));
      }
    }
  }

  /// The targets as a constant in the shape of x.
  Tensor target(const Shape& shape) const {
    Tensor out = Tensor::zeros(shape, dtype_of<T>());
    T* values = out.mutable_data<T>();
    for (std::int64_t i = 0; i < problem.positions(); ++i) {
      if (!counts(i)) continue;
      T* line = values + problem.start(i);
      for (std::int64_t c = 0; c < problem.classes; ++c)
        line[c * problem.inner] = static_cast<T>(problem.base) * weight_of(c);
      line[labels[i] * problem.inner] += static_cast<T>(problem.peak) * weight_of(labels[i]);
    }
    return out;
  }
};

/// The largest of each position, then the logarithms of the sums.
Tensor sums_of(const Problem& problem, const Tensor& x) {
  Tensor out = Tensor::empty({2, problem.positions()}, x.dtype());
  detail::dispatch_floating("cross_entropy", x.dtype(), [&]<class T>() {
    T* largest = out.mutable_data<T>();
    kernels::log_sum_exp(problem.batch, problem.classes, problem.inner, x.data<T>(), largest,
                         largest + problem.positions());
  });
  return out;
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options) {
  const Problem problem(x, labels, options);
  const Tensor sums = sums_of(problem, x);
  const bool each = options.reduction == Reduction::none;
  const Tensor weight = options.weight.defined() ? options.weight.detach() : Tensor();
  Tensor out = Tensor::empty(each ? problem.label_shape : Shape(), x.dtype());
  double factor = 1;
  detail::dispatch_floating("cross_entropy", x.dtype(), [&]<class T>() {
    const Values<T> values(problem, labels, weight, x, sums);
    T* y = out.mutable_data<T>();
    const auto loss = [&](std::int64_t i) { return values.loss(i); };
    if (each) {
      kernels::map(problem.positions(), [&](std::int64_t i) { y[i] = loss(i); });
    } else {
      factor = detail::mean_factor("cross_entropy", options.reduction, values.total_weight());
      *y = static_cast<T>(factor * detail::sum_of<T>(problem.positions(), loss));
    }
  });
  return record("cross_entropy", {x}, out,
                [problem, each, factor, weight, sums, input = Saved(x), saved_labels = Saved(labels)](
                    const Tensor& gy, Grads& grads) {
                  const Tensor truth = saved_labels.get(grads), in = input.get(grads);
                  detail::dispatch_floating("cross_entropy", gy.dtype(), [&]<class T>() {
                    const Values<T> values(problem, truth, weight, in, sums);
                    if (grads.create_graph()) {
                      const int axis = in.rank() < 2 ? 0 : 1;
                      const Tensor upstream = each ? reshape(gy, in.shape().with(axis, 1)) : gy;
                      const Tensor weighted = (upstream * -factor) * values.target(in.shape());
                      return grads.add(0, weighted - softmax(in, axis) * sum(weighted, axis, true));
                    }
                    auto [gx, beta] = grads.into(0);
                    values.gradient(gy.data<T>(), each, static_cast<T>(factor), gx.template mutable_data<T>(),
                                    beta != 0);
                  });
                });
}

}  // namespace evenkeel
