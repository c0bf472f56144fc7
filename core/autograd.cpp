#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/core/ops.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace evenkeel {

namespace {

thread_local bool recording = true;
thread_local bool anomaly = false;
thread_local detail::OpObserver* observer = nullptr;
std::atomic<std::uint64_t> next_sequence{0};

/// Frees nodes in a loop: freeing one may give up the last handle on the next, as deep as the graph is.
void free_node(detail::Node* node) {
  thread_local std::vector<detail::Node*> pending;
  thread_local bool draining = false;
  pending.push_back(node);
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    detail::Node* next = pending.back();
    pending.pop_back();
    delete next;
  }
  draining = false;
}

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

Tensor record_op(const char* op, std::span<const Tensor> inputs, Tensor output, BackwardFunction&& backward) {
  if (anomaly && !all_finite(output))
    throw ValueError(std::string("[") + op + "] expected finite values, got NaN or Inf in the output");
  if (!recording ||
      std::none_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); })) {
    if (observer != nullptr) observer->on_op(op, inputs, output);
    return output;
  }
  std::shared_ptr<detail::Node> node(new detail::Node, free_node);
  node->op = op;
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
  node->inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    const auto& impl = input.impl_ptr();
    if (!input.requires_grad())
      node->inputs.emplace_back();
    else if (impl->node)
      node->inputs.push_back({impl->node, nullptr});
    else
      node->inputs.push_back({nullptr, impl});
  }
  node->backward = std::move(backward);
  node->shape = output.shape();
  node->dtype = output.dtype();
  if (anomaly) node->layer_path = current_layer_path();
  output.impl_ptr()->node = std::move(node);
  if (observer != nullptr) observer->on_op(op, inputs, output);
  return output;
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

Tensor record(const char* op, std::initializer_list<Tensor> inputs, Tensor output,
              BackwardFunction backward) {
  return record_op(op, {inputs.begin(), inputs.size()}, std::move(output), std::move(backward));
}

Tensor record(const char* op, const std::vector<Tensor>& inputs, Tensor output, BackwardFunction backward) {
  return record_op(op, inputs, std::move(output), std::move(backward));
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
      const std::shared_ptr<Node> node = std::move(queue_.back());
      queue_.pop_back();
      visit(node);
    }
  }

  /// Accumulates into the leaves' grad().
  void deliver() {
    for (auto& [impl, leaf] : leaves_) {
      Tensor gradient = apply_hooks(impl->hooks, std::move(leaf.gradient));
      const std::lock_guard lock(leaf_mutex(impl));
      store(*impl, gradient);
    }
  }

  /// Keep the gradient at this tensor for result().
  void capture(const Tensor& tensor) {
    if (const auto& impl = tensor.impl_ptr(); impl->node) captured_[impl->node.get()] = {};
  }

  Tensor result(const Tensor& tensor) {
    const auto& impl = tensor.impl_ptr();
    if (impl->node) return captured_[impl->node.get()];
    const auto found = leaves_.find(impl.get());
    return found == leaves_.end() ? Tensor() : apply_hooks(impl->hooks, found->second.gradient);
  }

  Tensor& slot_of(const Edge& edge) { return edge.node ? slot(edge.node) : leaf_slot(edge.leaf); }

  void add(Tensor& target, Tensor gradient) {
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
    Tensor gradient;
  };

  static bool by_sequence(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) {
    return a->sequence < b->sequence;
  }

  Tensor& slot(const std::shared_ptr<Node>& node) {
    const auto [found, is_new] = gradients_.try_emplace(node.get());
    if (is_new) {
      queue_.push_back(node);
      std::push_heap(queue_.begin(), queue_.end(), by_sequence);
    }
    return found->second;
  }

  Tensor& leaf_slot(const std::shared_ptr<TensorImpl>& impl) {
    auto& leaf = leaves_[impl.get()];
    leaf.impl = impl;
    return leaf.gradient;
  }

  static Tensor apply_hooks(const std::vector<GradHook>& hooks, Tensor gradient) {
    for (const GradHook& hook : hooks)
      if (Tensor replaced = hook(gradient); replaced.defined()) gradient = std::move(replaced);
    return gradient;
  }

  void store(TensorImpl& impl, const Tensor& gradient) {
    if (!impl.grad) {
      const bool shared = gradient.impl_ptr().use_count() > 2 || gradient.impl_ptr()->storage.use_count() > 1;
      impl.grad = (shared && !create_graph_ ? gradient.clone() : gradient).impl_ptr();
      return;
    }
    Tensor sum(impl.grad);
    if (create_graph_)
      impl.grad = (sum + gradient).impl_ptr();
    else
      accumulate(sum, gradient);
  }

  void visit(const std::shared_ptr<Node>& node) {
    const auto found = gradients_.find(node.get());
    Tensor gradient = apply_hooks(node->hooks, std::move(found->second));
    gradients_.erase(found);
    if (node->freed) throw_freed(*node);
    if (const auto captured = captured_.find(node.get()); captured != captured_.end())
      captured->second = gradient;
    if (const auto retained = node->retained.lock()) store(*retained, gradient);
    Grads grads(*this, node, create_graph_);
    if (observer != nullptr) observer->on_gradient(*node, gradient);
    node->backward(gradient, grads);
    if (observer != nullptr) observer->on_backward(*node);
    if (anomaly) check_finite(*node);
    if (retain_graph_) return;
    node->freed = true;
    node->backward = nullptr;
    node->inputs.clear();
  }

  void check_finite(const Node& node) {
    for (const Edge& edge : node.inputs) {
      if ((edge.node || edge.leaf) && slot_of(edge).defined() && !all_finite(slot_of(edge)))
        throw ValueError(std::string("[") + node.op +
                         "] expected finite gradients, got NaN or Inf from its backward" +
                         place(node.layer_path));
    }
  }

  bool create_graph_;
  bool retain_graph_;
  std::vector<std::shared_ptr<Node>> queue_;
  std::unordered_map<Node*, Tensor> gradients_;
  std::unordered_map<TensorImpl*, LeafSlot> leaves_;
  std::unordered_map<Node*, Tensor> captured_;
};

}  // namespace detail

bool Grads::wants(std::size_t input) const {
  const detail::Edge& edge = node_->inputs[input];
  return edge.node != nullptr || edge.leaf != nullptr;
}

void Grads::add(std::size_t input, Tensor gradient) {
  if (!wants(input)) return;
  const detail::Edge& edge = node_->inputs[input];
  const Shape& expected = edge.node ? edge.node->shape : edge.leaf->shape;
  if (gradient.shape() != expected)
    throw GradError(std::string("[") + node_->op + "] expected a gradient of shape " + expected.str() +
                    ", got " + gradient.shape().str());
  engine_.add(engine_.slot_of(edge), std::move(gradient));
}

Grads::Into Grads::into(std::size_t input) {
  if (create_graph_)
    throw GradError(std::string("[") + node_->op + "] has no double backward: expected create_graph = false");
  const detail::Edge& edge = node_->inputs[input];
  Tensor& slot = engine_.slot_of(edge);
  if (!slot.defined()) {
    slot = Tensor::empty(edge.node ? edge.node->shape : edge.leaf->shape,
                         edge.node ? edge.node->dtype : edge.leaf->dtype);
    return {slot, 0};
  }
  if (!is_unique(slot)) slot = slot.clone();
  return {slot, 1};
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
  for (const Tensor& input : inputs) results.push_back(engine.result(input));
  return results;
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
