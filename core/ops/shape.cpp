#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/transpose.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/ops/broadcast.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

namespace evenkeel {

Tensor reshape(const Tensor& x, const Shape& shape) {
  if (shape.numel() != x.numel())
    throw ShapeError("[reshape] expected " + std::to_string(x.numel()) + " elements as in " +
                     x.shape().str() + ", got the shape " + shape.str());
  return record("reshape", {x}, detail::view(x, shape),
                [from = x.shape()](const Tensor& gy, Grads& grads) { grads.add(0, reshape(gy, from)); });
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  std::vector<std::int64_t> whole(sizes);
  const auto open = std::find(whole.begin(), whole.end(), -1);
  if (open != whole.end()) {
    *open = 1;
    const std::int64_t known = Shape(whole).numel();
    if (known == 0 || x.numel() % known != 0)
      throw ShapeError("[reshape] expected sizes that divide the elements of " + x.shape().str() + ", got " +
                       Shape(whole).str() + " with one size left open");
    *open = x.numel() / known;
  }
  return reshape(x, Shape(whole));
}

Tensor flatten(const Tensor& x, int first, int last) {
  if (x.rank() == 0) return reshape(x, {1});
  const int begin = x.shape().normalize_axis(first), end = x.shape().normalize_axis(last);
  if (begin > end)
    throw ShapeError("[flatten] expected first ≤ last, got axes of " + x.shape().str() + " reversed");
  Shape shape = x.shape().slice(0, begin).append(x.shape().slice(begin, end + 1).numel());
  for (int axis = end + 1; axis < x.rank(); ++axis) shape = shape.append(x.dim(axis));
  return reshape(x, shape);
}

namespace {

/// Where `index`, over the first `axes` axes, stands.
std::int64_t place_of(std::int64_t index, const Shape& shape, const std::vector<std::int64_t>& strides,
                      int axes) {
  std::int64_t at = 0;
  for (int axis = axes - 1; axis >= 0; --axis) {
    at += index % shape[axis] * strides[static_cast<std::size_t>(axis)];
    index /= shape[axis];
  }
  return at;
}

/// out[i…] = in[Σ i·stride] where the axis before the last has stride 1: planes transposed by bands of rows,
/// so that one plane can be shared out.
template <class T>
void gather_transposed(const T* in, T* out, const Shape& shape, const std::vector<std::int64_t>& strides) {
  constexpr std::int64_t kBand = 64;
  const int last = shape.rank() - 1;
  const std::int64_t rows = shape[last - 1], columns = shape[last];
  const std::int64_t bands = (rows + kBand - 1) / kBand;
  const std::int64_t grain = std::max<std::int64_t>(1, kernels::kElementwiseGrain / (kBand * columns));
  detail::parallel_shares(shape.slice(0, last - 1).numel() * bands, grain,
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t i = begin; i < end; ++i) {
                              const std::int64_t plane = i / bands, row = i % bands * kBand;
                              kernels::transpose(in + place_of(plane, shape, strides, last - 1) + row,
                                                 std::min(kBand, rows - row), columns, strides.back(),
                                                 out + (plane * rows + row) * columns);
                            }
                          });
}

/// out[i…] = in[offset + Σ i·stride]; out is contiguous.
template <class T>
void gather(const T* in, T* out, const Shape& shape, const std::vector<std::int64_t>& strides) {
  if (shape.numel() == 0) return;
  const int last = shape.rank() - 1;
  const std::int64_t inner = last >= 0 ? shape[last] : 1;
  const std::int64_t step = last >= 0 ? strides.back() : 1;
  if constexpr (std::is_floating_point_v<T>)
    if (last >= 1 && step > 1 && strides[static_cast<std::size_t>(last) - 1] == 1)
      return gather_transposed(in, out, shape, strides);
  const std::int64_t grain = std::max<std::int64_t>(1, kernels::kElementwiseGrain / inner);
  detail::parallel_shares(shape.numel() / inner, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t side = last >= 1 ? shape[last - 1] : 1;
    const std::int64_t pitch = last >= 1 ? strides[static_cast<std::size_t>(last) - 1] : 0;
    for (std::int64_t row = begin; row < end;) {
      const T* from = in + place_of(row, shape, strides, last);
      for (std::int64_t rows = std::min(side - row % side, end - row); rows > 0;
           --rows, ++row, from += pitch) {
        T* to = out + row * inner;
        if (step == 0)
          std::fill_n(to, inner, *from);
        else if (step == 1)
          std::copy_n(from, inner, to);
        else
          for (std::int64_t i = 0; i < inner; ++i) to[i] = from[i * step];
      }
    }
  });
}

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(static_cast<std::size_t>(shape.rank()), 1);
  for (int axis = shape.rank() - 2; axis >= 0; --axis)
    strides[static_cast<std::size_t>(axis)] =
        strides[static_cast<std::size_t>(axis) + 1] * std::max<std::int64_t>(1, shape[axis + 1]);
  return strides;
}

Tensor gathered(const Tensor& x, const Shape& shape, const std::vector<std::int64_t>& strides,
                std::int64_t offset = 0) {
  Tensor out = Tensor::empty(shape, x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>() {
    gather(x.data<T>() + (shape.numel() ? offset : 0), out.mutable_data<T>(), shape, strides);
  });
  return out;
}

}  // namespace

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  std::vector<int> sorted(order);
  for (int& axis : sorted) axis = x.shape().normalize_axis(axis);
  const std::vector<int> axes = sorted;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> all(static_cast<std::size_t>(x.rank()));
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all)
    throw ShapeError("[permute] expected every axis of " + x.shape().str() + " once, got another order");
  const std::vector<std::int64_t> strides = row_major_strides(x.shape());
  std::vector<std::int64_t> sizes, steps;
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    sizes.push_back(x.shape()[axes[i]]);
    steps.push_back(strides[static_cast<std::size_t>(axes[i])]);
    inverse[static_cast<std::size_t>(axes[i])] = static_cast<int>(i);
  }
  return record("permute", {x}, gathered(x, Shape(sizes), steps),
                [inverse](const Tensor& gy, Grads& grads) { grads.add(0, permute(gy, inverse)); });
}

Tensor transpose(const Tensor& x, int first, int second) {
  std::vector<int> order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(x.shape().normalize_axis(first))],
            order[static_cast<std::size_t>(x.shape().normalize_axis(second))]);
  return permute(x, order);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast_shapes("expand", x.shape(), shape) != shape)
    throw ShapeError("[expand] expected a shape that " + x.shape().str() + " broadcasts to, got " +
                     shape.str());
  const std::vector<std::int64_t> from = row_major_strides(x.shape());
  std::vector<std::int64_t> strides(static_cast<std::size_t>(shape.rank()), 0);
  const int extra = shape.rank() - x.rank();
  for (int axis = extra; axis < shape.rank(); ++axis)
    if (x.shape()[axis - extra] != 1)
      strides[static_cast<std::size_t>(axis)] = from[static_cast<std::size_t>(axis - extra)];
  return record(
      "expand", {x}, gathered(x, shape, strides),
      [target = x.shape()](const Tensor& gy, Grads& grads) { grads.add(0, detail::sum_to(gy, target)); });
}

namespace {

struct Cut {
  Shape whole;
  int axis;
  std::int64_t begin, step;
};

/// The adjoint of slice(): puts `part` into zeros of the whole shape.
Tensor unslice(const Tensor& part, const Cut& cut) {
  Tensor out = Tensor::zeros(cut.whole, part.dtype());
  const std::int64_t inner = cut.whole.slice(cut.axis + 1, cut.whole.rank()).numel();
  const std::int64_t outer = cut.whole.slice(0, cut.axis).numel(), count = part.dim(cut.axis);
  detail::dispatch_all(part.dtype(), [&]<class T>() {
    const T* in = part.data<T>();
    T* values = out.mutable_data<T>();
    for (std::int64_t o = 0; o < outer; ++o) {
      const T* from = in + o * count * inner;
      T* to = values + (o * cut.whole[cut.axis] + cut.begin) * inner;
      if (cut.step == 1)
        std::copy_n(from, count * inner, to);
      else if (inner == 1)
        for (std::int64_t k = 0; k < count; ++k) to[k * cut.step] = from[k];
      else
        for (std::int64_t k = 0; k < count; ++k)
          std::copy_n(from + k * inner, inner, to + k * cut.step * inner);
    }
  });
  return record("unslice", {part}, out, [cut, count](const Tensor& gy, Grads& grads) {
    grads.add(0, slice(gy, cut.axis, cut.begin,
                       count == 0 ? cut.begin : cut.begin + (count - 1) * cut.step + 1, cut.step));
  });
}

}  // namespace

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  if (step < 1) throw ShapeError("[slice] expected a step of at least 1, got " + std::to_string(step));
  const int at = x.shape().normalize_axis(axis);
  const std::int64_t size = x.shape()[at];
  const auto clamp = [size](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const std::int64_t first = clamp(begin), last = std::max(first, clamp(end));
  const Shape shape = x.shape().with(at, (last - first + step - 1) / step);
  const std::vector<std::int64_t> strides = row_major_strides(x.shape());
  const std::int64_t offset = first * strides[static_cast<std::size_t>(at)];
  std::vector<std::int64_t> steps = strides;
  steps[static_cast<std::size_t>(at)] *= step;
  const bool shares = step == 1 && x.shape().slice(0, at).numel() == 1;
  return record("slice", {x}, shares ? detail::view(x, shape, offset) : gathered(x, shape, steps, offset),
                [cut = Cut{x.shape(), at, first, step}](const Tensor& gy, Grads& grads) {
                  grads.add(0, unslice(gy, cut));
                });
}

Tensor cat(const std::vector<Tensor>& tensors, int axis) {
  if (tensors.empty()) throw ShapeError("[cat] expected at least one tensor, got none");
  const Shape& first = tensors.front().shape();
  const int at = first.normalize_axis(axis);
  std::vector<std::int64_t> offsets{0};
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() != tensors.front().dtype())
      throw DTypeError(std::string("[cat] expected tensors of type ") + name(tensors.front().dtype()) +
                       ", got " + name(tensor.dtype()));
    if (tensor.rank() != first.rank() || tensor.shape().with(at, first[at]) != first)
      throw ShapeError("[cat] expected shapes equal but for axis " + std::to_string(at) + ", got " +
                       first.str() + " and " + tensor.shape().str());
    offsets.push_back(offsets.back() + tensor.dim(at));
  }
  Tensor out = Tensor::empty(first.with(at, offsets.back()), tensors.front().dtype());
  const std::int64_t outer = first.slice(0, at).numel(), inner = first.slice(at + 1, first.rank()).numel();
  detail::dispatch_all(out.dtype(), [&]<class T>() {
    T* values = out.mutable_data<T>();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::int64_t run = tensors[i].dim(at) * inner;
      for (std::int64_t o = 0; o < outer; ++o)
        std::copy_n(tensors[i].data<T>() + o * run, run, values + (o * offsets.back() + offsets[i]) * inner);
    }
  });
  return record("cat", tensors, out, [offsets, at](const Tensor& gy, Grads& grads) {
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      if (grads.wants(i)) grads.add(i, slice(gy, at, offsets[i], offsets[i + 1]));
  });
}

Tensor stack(const std::vector<Tensor>& tensors, int axis) {
  std::vector<Tensor> wide;
  for (const Tensor& tensor : tensors) {
    const Shape& shape = tensor.shape();
    const int at = axis < 0 ? axis + shape.rank() + 1 : axis;
    if (at < 0 || at > shape.rank())
      throw ShapeError("[stack] expected a new axis for " + shape.str() + ", got " + std::to_string(axis));
    Shape longer = shape.slice(0, at).append(1);
    for (int i = at; i < shape.rank(); ++i) longer = longer.append(shape[i]);
    wide.push_back(reshape(tensor, longer));
  }
  return cat(wide, axis);
}

}  // namespace evenkeel
