#pragma once

#include <evenkeel/core/tensor.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel {

class Grads;

namespace detail {

/// Where a gradient goes: into an op's output, or a leaf; both null if none is wanted.
struct Edge {
  NodePtr node;
  std::shared_ptr<TensorImpl> leaf;
  explicit operator bool() const { return node || leaf; }
};

/// The edges of a node; the first few need no memory of their own.
class Edges {
 public:
  std::size_t size() const { return size_; }
  const Edge* begin() const { return size_ <= kFew ? few_.data() : many_.data(); }
  const Edge* end() const { return begin() + size_; }
  const Edge& operator[](std::size_t i) const { return begin()[i]; }

  void resize(std::size_t size) {
    size_ = size;
    if (size > kFew) many_.resize(size);
  }
  void set(std::size_t i, Edge edge) { (size_ <= kFew ? few_.data() : many_.data())[i] = std::move(edge); }
  void clear() {
    few_ = {};
    many_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::size_t kFew = 3;
  std::array<Edge, kFew> few_;
  std::vector<Edge> many_;
  std::size_t size_ = 0;
};

/// One recorded op; its output is known by shape and type only.
struct Node {
  virtual ~Node() = default;
  /// Hands the gradients of the inputs on.
  virtual void run_backward(const Tensor& gradient, Grads& grads) = 0;
  /// Gives up what the backward keeps.
  virtual void forget() = 0;

  std::atomic<std::uint32_t> references{0};
  bool freed = false;
  DType dtype = DType::f32;
  const char* op = "";
  std::uint64_t sequence = 0;
  Shape shape;
  Edges inputs;
  std::vector<GradHook> hooks;
  std::weak_ptr<TensorImpl> retained;
  std::string layer_path;  // in anomaly mode only
};

/// A node with its backward function in one piece of memory.
template <class F>
struct NodeOf final : Node {
  explicit NodeOf(F&& function) : backward(std::move(function)) {}
  explicit NodeOf(const F& function) : backward(function) {}
  void run_backward(const Tensor& gradient, Grads& grads) override { (*backward)(gradient, grads); }
  void forget() override { backward.reset(); }
  std::optional<F> backward;
};

/// Whether `output` is to be recorded. In anomaly mode it also checks the values.
bool begin_record(const char* op, std::span<const TensorRef> inputs, const Tensor& output);
/// Joins the new node to its inputs and its output.
void finish_record(const char* op, std::span<const TensorRef> inputs, const Tensor& output, NodePtr node);

}  // namespace detail
}  // namespace evenkeel
