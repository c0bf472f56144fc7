#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace evenkeel {

namespace {

constexpr std::int64_t kGrain = 1 << 15;
constexpr std::size_t kMostBytes = std::size_t{1} << 62;

std::string type_and_shape(const Tensor& tensor) { return name(tensor.dtype()) + tensor.shape().str(); }

}  // namespace

detail::TensorImpl& Tensor::impl() const {
  if (!impl_) throw ValueError("[tensor] expected a defined tensor, got an undefined one");
  return *impl_;
}

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  auto impl = std::make_shared<detail::TensorImpl>();
  const auto count = static_cast<std::size_t>(shape.numel());
  if (count > kMostBytes / size_of(dtype))
    throw MemoryError("[memory] expected a tensor of at most 2^62 bytes, got " + std::string(name(dtype)) +
                      shape.str());
  impl->storage = std::make_shared<detail::Storage>(count * size_of(dtype));
  impl->shape = shape;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor out = empty(shape, dtype);
  std::memset(out.impl_->storage->data, 0, out.impl_->storage->bytes);
  return out;
}

Tensor Tensor::ones(const Shape& shape, DType dtype) { return full(shape, 1.0, dtype); }

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  return empty(shape, dtype).fill_(value);
}

Tensor Tensor::arange(std::int64_t count, DType dtype) {
  Tensor out = empty({count}, dtype);
  detail::dispatch_all(dtype, [&]<class T>() {
    T* data = out.mutable_data<T>();
    for (std::int64_t i = 0; i < count; ++i) data[i] = static_cast<T>(i);
  });
  return out;
}

Tensor Tensor::randn(const Shape& shape, Rng& rng, DType dtype) {
  Tensor out = empty(shape, dtype);
  detail::dispatch_floating("randn", dtype,
                            [&]<class T>() { rng.normal(out.mutable_data<T>(), out.numel()); });
  return out;
}

Tensor Tensor::uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype) {
  Tensor out = empty(shape, dtype);
  detail::dispatch_floating("uniform", dtype,
                            [&]<class T>() { rng.uniform(out.mutable_data<T>(), out.numel(), low, high); });
  return out;
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.numel())
    throw ShapeError(fmt::format("[tensor] expected {} values for the shape {}, got {}", shape.numel(),
                                 shape.str(), values.size()));
  Tensor out = empty(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), out.mutable_data<T>());
  return out;
}

template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const std::int64_t>, const Shape&);

template <class T>
const T* Tensor::data() const {
  const detail::TensorImpl& self = impl();
  if (self.dtype != dtype_of<T>())
    throw DTypeError(fmt::format("[tensor] expected {} data, got {}", name(dtype_of<T>()), name(self.dtype)));
  return reinterpret_cast<const T*>(self.storage->data + self.byte_offset);
}

template const float* Tensor::data() const;
template const double* Tensor::data() const;
template const std::int64_t* Tensor::data() const;

template <class T>
T* Tensor::mutable_data() {
  T* pointer = const_cast<T*>(data<T>());
  ++impl_->storage->version;
  return pointer;
}

template float* Tensor::mutable_data();
template double* Tensor::mutable_data();
template std::int64_t* Tensor::mutable_data();

double Tensor::item() const {
  if (numel() != 1) throw ShapeError("[item] expected one element, got " + type_and_shape(*this));
  return detail::dispatch_all(dtype(), [&]<class T>() { return static_cast<double>(*data<T>()); });
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  return std::vector<T>(data<T>(), data<T>() + numel());
}

template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;

Tensor Tensor::to(DType target) const {
  if (dtype() == target) return *this;
  Tensor out = empty(shape(), target);
  out.copy_(*this);
  if (!is_floating(target)) return out;
  return record("to", {*this}, out,
                [source = dtype()](const Tensor& gy, Grads& grads) { grads.add(0, gy.to(source)); });
}

Tensor Tensor::clone() const { return empty(shape(), dtype()).copy_(*this); }

Tensor Tensor::detach() const { return detail::view(*this, shape()); }

Tensor& Tensor::fill_(double value) {
  detail::dispatch_all(dtype(), [&]<class T>() {
    T* out = mutable_data<T>();
    detail::parallel_shares(numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(out + begin, out + end, static_cast<T>(value));
    });
  });
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  if (source.shape() != shape())
    throw ShapeError("[copy_] expected the shape " + shape().str() + ", got " + source.shape().str());
  detail::dispatch_all(dtype(), [&]<class T>() {
    T* out = mutable_data<T>();
    detail::dispatch_all(source.dtype(), [&]<class S>() {
      const S* in = source.data<S>();
      detail::parallel_shares(numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        std::transform(in + begin, in + end, out + begin, [](S value) { return static_cast<T>(value); });
      });
    });
  });
  return *this;
}

void Tensor::set_data(const Tensor& source) {
  detail::TensorImpl& self = impl();
  const detail::TensorImpl& other = source.impl();
  self.storage = other.storage;
  self.byte_offset = other.byte_offset;
  self.shape = other.shape;
  self.dtype = other.dtype;
  self.grad.reset();
}

std::string Tensor::str() const {
  if (!defined()) return "undefined";
  std::string out = type_and_shape(*this) + " {";
  constexpr std::int64_t kShown = 12;
  detail::dispatch_all(dtype(), [&]<class T>() {
    for (std::int64_t i = 0; i < std::min(kShown, numel()); ++i)
      out += fmt::format("{}{:.6g}", i ? ", " : "", static_cast<double>(data<T>()[i]));
  });
  return out + (numel() > kShown ? ", …}" : "}");
}

Tensor detail::view(const Tensor& source, const Shape& shape, std::int64_t element_offset) {
  auto impl = std::make_shared<TensorImpl>();
  const TensorImpl& from = *source.impl_ptr();
  impl->storage = from.storage;
  impl->byte_offset = from.byte_offset + static_cast<std::size_t>(element_offset) * size_of(from.dtype);
  impl->shape = shape;
  impl->dtype = from.dtype;
  return Tensor(std::move(impl));
}

void detail::accumulate(Tensor& target, const Tensor& source) {
  dispatch_floating("accumulate", target.dtype(), [&]<class T>() {
    T* out = target.mutable_data<T>();
    const T* in = source.data<T>();
    parallel_shares(target.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) out[i] += in[i];
    });
  });
}

void detail::check_floating(const char* op, std::initializer_list<TensorRef> tensors) {
  const Tensor* first = nullptr;
  for (const auto [tensor] : tensors) {
    if (!tensor->defined()) continue;
    if (!is_floating(tensor->dtype())) throw_not_floating(op, tensor->dtype());
    if (first == nullptr) first = tensor;
    if (tensor->dtype() != first->dtype())
      throw DTypeError(fmt::format("[{}] expected tensors of one type, got {} and {}", op,
                                   type_and_shape(*first), type_and_shape(*tensor)));
  }
}

Tensor& Tensor::set_requires_grad(bool value) {
  if (!is_leaf()) throw GradError("[set_requires_grad] expected a leaf, got the output of " + op());
  if (value && !is_floating(dtype()))
    throw GradError(std::string("[set_requires_grad] expected f32 or f64, got ") + name(dtype()));
  impl_->requires_grad = value;
  return *this;
}

std::string Tensor::op() const { return impl().node ? impl().node->op : ""; }

Tensor Tensor::grad() const { return Tensor(impl().grad); }

void Tensor::set_grad(const Tensor& gradient) {
  if (gradient.defined() && (gradient.shape() != shape() || gradient.dtype() != dtype()))
    throw GradError("[set_grad] expected the shape " + shape().str() + ", got " + gradient.shape().str());
  impl().grad = gradient.impl_ptr();
}

void Tensor::retain_grad() {
  if (!requires_grad()) throw GradError("[retain_grad] expected a tensor with a graph, got one without");
  if (impl_->node) impl_->node->retained = impl_;
}

void Tensor::register_hook(GradHook hook) {
  if (!requires_grad()) throw GradError("[register_hook] expected a tensor with a graph, got one without");
  (impl_->node ? impl_->node->hooks : impl_->hooks).push_back(std::move(hook));
}

}  // namespace evenkeel
