#pragma once

#include <evenkeel/core/dtype.h>
#include <evenkeel/core/shape.h>
#include <evenkeel/core/storage.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel {

class Rng;
class Tensor;

/// Called with a gradient when it is complete; what it returns (if defined) takes the gradient's place.
using GradHook = std::function<Tensor(const Tensor& gradient)>;

struct BackwardOptions {
  bool retain_graph = false;  ///< keep the graph for another backward
  bool create_graph = false;  ///< record the backward itself, for double backward; implies retain_graph
};

namespace detail {

struct Node;

/// A counted handle on a node. The nodes that the last handle gives up are freed in a loop, however deep the
/// graph is.
class NodePtr {
 public:
  NodePtr() = default;
  explicit NodePtr(Node* node) : node_(node) { retain(node); }
  NodePtr(const NodePtr& other) : NodePtr(other.node_) {}
  NodePtr(NodePtr&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodePtr& operator=(NodePtr other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodePtr() {
    if (node_ != nullptr) release(node_);
  }
  Node* get() const { return node_; }
  Node& operator*() const { return *node_; }
  Node* operator->() const { return node_; }
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(std::nullptr_t) const { return node_ == nullptr; }

 private:
  static void retain(Node* node);
  static void release(Node* node);

  Node* node_ = nullptr;
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  std::size_t byte_offset = 0;
  Shape shape;
  DType dtype = DType::f32;
  bool requires_grad = false;        // leaves only; an op's output has a node instead
  NodePtr node;                      // how it was computed; null for leaves
  std::shared_ptr<TensorImpl> grad;  // accumulated by backward()
  std::vector<GradHook> hooks;       // leaves only
};

}  // namespace detail

/// An n-dimensional row-major array and its place in the graph. Always contiguous. A Tensor is a handle:
/// copies share data and gradient, like PyTorch's. reshape(), detach() and slices along the first axis
/// share memory with their source; all other operations give new memory.
class Tensor {
 public:
  /// An undefined tensor.
  Tensor() = default;

  /// Memory that is not initialised.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32);
  static Tensor ones(const Shape& shape, DType dtype = DType::f32);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
  /// 0, 1, …, count-1.
  static Tensor arange(std::int64_t count, DType dtype = DType::f32);
  /// Normal numbers, mean 0 and deviation 1.
  static Tensor randn(const Shape& shape, Rng& rng, DType dtype = DType::f32);
  /// Uniform numbers in [low, high).
  static Tensor uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype = DType::f32);
  /// Copies `values` in row-major order. ShapeError if their number is not shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return from(std::span<const T>(values.begin(), values.size()), shape);
  }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  int rank() const { return impl().shape.rank(); }
  /// Size of an axis; negative counts from the last.
  std::int64_t dim(int axis) const { return impl().shape.dim(axis); }
  std::int64_t numel() const { return impl().shape.numel(); }
  DType dtype() const { return impl().dtype; }

  /// The elements. DTypeError if T is not the tensor's type.
  template <class T>
  const T* data() const;
  /// The elements, to be changed in place: a graph that saved them will refuse its backward.
  template <class T>
  T* mutable_data();
  /// The only element, as double. ShapeError if there is not exactly one.
  double item() const;
  template <class T>
  std::vector<T> to_vector() const;

  /// A copy of another type; the gradient flows through. Itself if the type is the same.
  Tensor to(DType dtype) const;
  /// A copy with memory of its own, outside the graph.
  Tensor clone() const;
  /// The same memory outside the graph.
  Tensor detach() const;

  // Changes in place, outside the graph.
  Tensor& fill_(double value);
  /// Shapes must be equal; converts the type.
  Tensor& copy_(const Tensor& source);
  /// Puts another tensor's memory, shape and type behind this handle and all its copies.
  void set_data(const Tensor& source);

  bool requires_grad() const { return defined() && (impl_->requires_grad || impl_->node != nullptr); }
  /// GradError unless this is a floating leaf.
  Tensor& set_requires_grad(bool value = true);
  bool is_leaf() const { return impl().node == nullptr; }
  /// Name of the op that made this tensor; empty for a leaf.
  std::string op() const;
  /// The accumulated gradient; undefined if there is none.
  Tensor grad() const;
  void set_grad(const Tensor& gradient);
  void zero_grad() { impl().grad.reset(); }
  /// Keep the gradient of a tensor that is no leaf in grad().
  void retain_grad();
  void register_hook(GradHook hook);
  /// Accumulates d(this)/d(leaf) into every leaf's grad(). Without `gradient` this must hold one element.
  void backward(const Tensor& gradient = {}, const BackwardOptions& options = {}) const;

  /// "f32[2, 3]" and up to a few of its values; "undefined" without data.
  std::string str() const;

  const std::shared_ptr<detail::TensorImpl>& impl_ptr() const { return impl_; }
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}

 private:
  detail::TensorImpl& impl() const;

  std::shared_ptr<detail::TensorImpl> impl_;
};

namespace detail {
/// A tensor as an argument in a list, without a copy; it lives as long as the call.
struct TensorRef {
  TensorRef(const Tensor& t) : tensor(&t) {}
  const Tensor* tensor;
};

/// Another handle on the same memory with another shape of as many elements, outside the graph.
Tensor view(const Tensor& source, const Shape& shape, std::int64_t element_offset = 0);
/// target += source, in place; shapes and types are equal.
void accumulate(Tensor& target, const Tensor& source);
/// DTypeError "[op] …" unless all are of one floating type. Undefined tensors are passed over.
void check_floating(const char* op, std::initializer_list<TensorRef> tensors);
}  // namespace detail

}  // namespace evenkeel
