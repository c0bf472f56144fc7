#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops.h>
#include <evenkeel/core/pointer_map.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <utility>

namespace evenkeel {

namespace {

thread_local bool recording = true;
thread_local bool anomaly = false;
thread_local detail::OpObserver* observer = nullptr;
std::atomic<std::uint64_t> next_sequence{0};

bool all_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  return detail::dispatch_floating("anomaly", tensor.dtype(), [&]<class T>() {
    const T* data = tensor.data<T>();
    return std::all_of(data, data + tensor.numel(), [](T value) { return std::isfinite(value); });
  });
}

std::string place(const std::string& layer_path) {
  return layer_path.empty() ? std::string() : " (in layer " + layer_path + ")";
}

std::mutex& leaf_mutex(const detail::TensorImpl* leaf) {
  static std::array<std::mutex, 16> mutexes;
  return mutexes[(reinterpret_cast<std::uintptr_t>(leaf) >> 6) % mutexes.size()];
}

bool is_unique(const Tensor& tensor) {
  return tensor.impl_ptr().use_count() == 1 && tensor.impl_ptr()->storage.use_count() == 1;
}

}  // namespace

NoGradScope::NoGradScope() : outer_(recording) { recording = false; }
NoGradScope::~NoGradScope() { recording = outer_; }
EnableGradScope::EnableGradScope(bool enable) : outer_(recording) { recording = enable; }
EnableGradScope::~EnableGradScope() { recording = outer_; }
bool grad_enabled() { return recording; }

AnomalyScope::AnomalyScope() : outer_(anomaly) { anomaly = true; }
AnomalyScope::~AnomalyScope() { anomaly = outer_; }

detail::OpObserver* detail::set_op_observer(OpObserver* next) { return std::exchange(observer, next); }
bool detail::is_observed() { return observer != nullptr; }

namespace {

void tell_observer(const char* op, std::span<const detail::TensorRef> inputs, const Tensor& output) {
  if (observer == nullptr) return;
  std::vector<Tensor> tensors;
  for (const detail::TensorRef& input : inputs) tensors.push_back(*input.tensor);
  observer->on_op(op, tensors, output);
}

}  // namespace

bool detail::begin_record(const char* op, std::span<const TensorRef> inputs, const Tensor& output) {
  if (anomaly && !all_finite(output))
    throw ValueError(std::string("[") + op + "] expected finite values, got NaN or Inf in the output");
  if (recording && std::any_of(inputs.begin(), inputs.end(),
                               [](const TensorRef& input) { return input.tensor->requires_grad(); }))
    return true;
  tell_observer(op, inputs, output);
  return false;
}

void detail::finish_record(const char* op, std::span<const TensorRef> inputs, const Tensor& output,
                           NodePtr node) {
  node->op = op;
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
  node->inputs.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = *inputs[i].tensor;
    if (!input.requires_grad()) continue;
    const auto& impl = input.impl_ptr();
    node->inputs.set(i, impl->node ? Edge{impl->node, nullptr} : Edge{NodePtr(), impl});
  }
  node->shape = output.shape();
  node->dtype = output.dtype();
  if (anomaly) node->layer_path = current_layer_path();
  output.impl_ptr()->node = std::move(node);
  tell_observer(op, inputs, output);
}

void detail::NodePtr::retain(Node* node) {
  if (node != nullptr) node->references.fetch_add(1, std::memory_order_relaxed);
}

void detail::NodePtr::release(Node* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  thread_local std::vector<Node*> pending;
  thread_local bool draining = false;
  if (draining) return pending.push_back(node);
  draining = true;
  delete node;
  while (!pending.empty()) {
    Node* next = pending.back();
    pending.pop_back();
    delete next;
  }
  draining = false;
}

Saved::Saved(const Tensor& tensor, bool wanted) {
  if (!wanted || !tensor.defined()) return;
  tensor_ = tensor;
  version_ = tensor.impl_ptr()->storage->version;
}

Saved Saved::output(const Tensor& tensor) {
  Saved saved(tensor.detach());
  saved.is_output_ = true;
  return saved;
}

Tensor Saved::get(const Grads& grads) const {
  if (!tensor_.defined()) return {};
  if (tensor_.impl_ptr()->storage->version != version_)
    throw GradError(std::string("[") + grads.node()->op + "] expected the " +
                    (is_output_ ? "output " : "input ") + tensor_.shape().str() +
                    " as it was in forward, got one changed in place since");
  if (!is_output_ || !grads.create_graph()) return tensor_;
  Tensor joined = tensor_.detach();
  joined.impl_ptr()->node = grads.node();
  return joined;
}

namespace detail {

/// One backward run. Nodes are visited by descending sequence number, so each is reached after all its
/// consumers; nodes and leaves without a gradient are never visited.
class Engine {
 public:
  explicit Engine(const BackwardOptions& options)
      : create_graph_(options.create_graph), retain_graph_(options.retain_graph || options.create_graph) {}

  /// A gradient in the making.
  struct Slot {
    Tensor gradient;
    const Node* writer = nullptr;  ///< whose backward was given the gradient's memory last
  };

  void seed(const Tensor& output, Tensor gradient) {
    const auto& impl = output.impl_ptr();
    if (impl->node) {
      if (impl->node->freed) throw_freed(*impl->node);
      add(slot(impl->node), std::move(gradient));
    } else {
      add(leaf_slot(impl), std::move(gradient));
    }
  }

  void run() {
    const EnableGradScope mode(create_graph_);
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), by_sequence);
      const NodePtr node = std::move(queue_.back());
      queue_.pop_back();
      visit(node);
    }
  }

  /// Accumulates into the leaves' grad().
  void deliver() {
    for (LeafSlot& leaf : leaves_) {
      Tensor gradient = apply_hooks(leaf.impl->hooks, std::move(leaf.slot.gradient));
      const std::lock_guard lock(leaf_mutex(leaf.impl.get()));
      store(*leaf.impl, gradient);
    }
  }

  /// Keep the gradient at this tensor for result().
  void capture(const Tensor& tensor) {
    if (const auto& impl = tensor.impl_ptr(); impl->node) captured_.insert(impl->node.get());
  }

  Tensor result(const Tensor& tensor) {
    const auto& impl = tensor.impl_ptr();
    if (impl->node) return *captured_.find(impl->node.get());
    const std::size_t* found = leaf_index_.find(impl.get());
    return found == nullptr ? Tensor() : apply_hooks(impl->hooks, leaves_[*found].slot.gradient);
  }

  Slot& slot_of(const Edge& edge) { return edge.node ? slot(edge.node) : leaf_slot(edge.leaf); }

  void add(Slot& slot, Tensor gradient) {
    Tensor& target = slot.gradient;
    if (!target.defined())
      target = std::move(gradient);
    else if (!create_graph_ && is_unique(target))
      accumulate(target, gradient);
    else
      target = target + gradient;
  }

  [[noreturn]] static void throw_freed(const Node& node) {
    throw GradError(std::string("[") + node.op +
                    "] expected a graph that was not freed, got one whose backward has run; pass "
                    "{.retain_graph = true} to the first backward" +
                    place(node.layer_path));
  }

 private:
  struct LeafSlot {
    std::shared_ptr<TensorImpl> impl;
    Slot slot;
  };

  static bool by_sequence(const NodePtr& a, const NodePtr& b) { return a->sequence < b->sequence; }

  Slot& slot(const NodePtr& node) {
    const auto [slot, is_new] = slots_.insert(node.get());
    if (is_new) {
      queue_.push_back(node);
      std::push_heap(queue_.begin(), queue_.end(), by_sequence);
    }
    return slot;
  }

  Slot& leaf_slot(const std::shared_ptr<TensorImpl>& impl) {
    const auto [index, is_new] = leaf_index_.insert(impl.get());
    if (is_new) {
      index = leaves_.size();
      leaves_.push_back({impl, {}});
    }
    return leaves_[index].slot;
  }

  static Tensor apply_hooks(const std::vector<GradHook>& hooks, Tensor gradient) {
    for (const GradHook& hook : hooks)
      if (Tensor replaced = hook(gradient); replaced.defined()) gradient = std::move(replaced);
    return gradient;
  }

  void store(TensorImpl& impl, const Tensor& gradient) {
    if (!impl.grad) {
      const bool shared = !is_unique(gradient);  // with another leaf, or with who gave it
      impl.grad = (shared && !create_graph_ ? gradient.clone() : gradient).impl_ptr();
      return;
    }
    Tensor sum(impl.grad);
    if (create_graph_)
      impl.grad = (sum + gradient).impl_ptr();
    else
      accumulate(sum, gradient);
  }

  void visit(const NodePtr& node) {
    Tensor gradient = apply_hooks(node->hooks, slots_.take(node.get()).gradient);
    if (node->freed) throw_freed(*node);
    if (Tensor* captured = captured_.find(node.get())) *captured = gradient;
    if (const auto retained = node->retained.lock()) store(*retained, gradient);
    Grads grads(*this, node, create_graph_);
    if (observer != nullptr) observer->on_gradient(*node, gradient);
    node->run_backward(gradient, grads);
    for (auto& [input, late] : grads.late_) add(slot_of(node->inputs[input]), std::move(late));
    if (observer != nullptr) observer->on_backward(*node);
    if (anomaly) check_finite(*node);
    if (retain_graph_) return;
    node->freed = true;
    node->forget();
    node->inputs.clear();
  }

  void check_finite(const Node& node) {
    for (const Edge& edge : node.inputs) {
      if (edge && slot_of(edge).gradient.defined() && !all_finite(slot_of(edge).gradient))
        throw ValueError(std::string("[") + node.op +
                         "] expected finite gradients, got NaN or Inf from its backward" +
                         place(node.layer_path));
    }
  }

  bool create_graph_;
  bool retain_graph_;
  std::vector<NodePtr> queue_;
  PointerMap<Slot> slots_;
  std::vector<LeafSlot> leaves_;
  PointerMap<std::size_t> leaf_index_;
  PointerMap<Tensor> captured_;
};

}  // namespace detail

bool Grads::wants(std::size_t input) const { return static_cast<bool>(node_->inputs[input]); }

void Grads::add(std::size_t input, Tensor gradient) {
  if (!wants(input)) return;
  const detail::Edge& edge = node_->inputs[input];
  const Shape& expected = edge.node ? edge.node->shape : edge.leaf->shape;
  if (gradient.shape() != expected)
    throw GradError(std::string("[") + node_->op + "] expected a gradient of shape " + expected.str() +
                    ", got " + gradient.shape().str());
  detail::Engine::Slot& slot = engine_.slot_of(edge);
  if (slot.writer == node_.get())
    late_.emplace_back(input, std::move(gradient));
  else
    engine_.add(slot, std::move(gradient));
}

Grads::Into Grads::into(std::size_t input) {
  if (create_graph_)
    throw GradError(std::string("[") + node_->op + "] has no double backward: expected create_graph = false");
  const detail::Edge& edge = node_->inputs[input];
  const auto fresh = [&] {
    return edge.node ? Tensor::empty(edge.node->shape, edge.node->dtype)
                     : Tensor::empty(edge.leaf->shape, edge.leaf->dtype);
  };
  detail::Engine::Slot& slot = engine_.slot_of(edge);
  // Memory that this backward has already may not be written yet: memory of its own, added at the end.
  if (slot.writer == node_.get()) return {late_.emplace_back(input, fresh()).second, 0};
  slot.writer = node_.get();
  if (!slot.gradient.defined()) return {slot.gradient = fresh(), 0};
  if (!is_unique(slot.gradient)) slot.gradient = slot.gradient.clone();
  return {slot.gradient, 1};
}

namespace {

/// The gradient to start from: as given, or one for a single element.
Tensor seed_gradient(const char* op, const Tensor& output, const Tensor& gradient) {
  if (!output.requires_grad())
    throw GradError(std::string("[") + op + "] expected a tensor with a graph, got one without");
  if (!gradient.defined()) {
    if (output.numel() != 1)
      throw GradError(std::string("[") + op +
                      "] expected one element where no gradient is given, got the shape " +
                      output.shape().str());
    return Tensor::ones(output.shape(), output.dtype());
  }
  if (gradient.shape() != output.shape() || gradient.dtype() != output.dtype())
    throw GradError(std::string("[") + op + "] expected a gradient " + name(output.dtype()) +
                    output.shape().str() + ", got " + name(gradient.dtype()) + gradient.shape().str());
  return gradient;
}

}  // namespace

void Tensor::backward(const Tensor& gradient, const BackwardOptions& options) const {
  detail::Engine engine(options);
  engine.seed(*this, seed_gradient("backward", *this, gradient));
  engine.run();
  engine.deliver();
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, const BackwardOptions& options) {
  if (!grad_outputs.empty() && grad_outputs.size() != outputs.size())
    throw GradError("[grad] expected as many grad_outputs as outputs, got " +
                    std::to_string(grad_outputs.size()) + " and " + std::to_string(outputs.size()));
  detail::Engine engine(options);
  for (const Tensor& input : inputs) {
    if (!input.requires_grad())
      throw GradError("[grad] expected inputs that require a gradient, got one without");
    engine.capture(input);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    engine.seed(outputs[i],
                seed_gradient("grad", outputs[i], grad_outputs.empty() ? Tensor() : grad_outputs[i]));
  engine.run();
  std::vector<Tensor> results;
  results.reserve(inputs.size());
  for (const Tensor& input : inputs) results.push_back(engine.result(input));
  return results;
}

}  // namespace evenkeel
