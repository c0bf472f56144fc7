#pragma once

#include <evenkeel/core/node.h>
#include <evenkeel/core/tensor.h>

#include <functional>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace evenkeel {

class Grads;

/// While it lives, this thread records no graph.
class NoGradScope {
 public:
  NoGradScope();
  ~NoGradScope();
  NoGradScope(const NoGradScope&) = delete;
  NoGradScope& operator=(const NoGradScope&) = delete;

 private:
  bool outer_;
};

/// While it lives, this thread records a graph, also inside a NoGradScope.
class EnableGradScope {
 public:
  explicit EnableGradScope(bool enable = true);
  ~EnableGradScope();
  EnableGradScope(const EnableGradScope&) = delete;
  EnableGradScope& operator=(const EnableGradScope&) = delete;

 private:
  bool outer_;
};

/// Whether this thread records a graph.
bool grad_enabled();

/// While it lives, this thread checks the output of every op and every gradient, and throws ValueError with
/// op and layer path where the first NaN or Inf arose.
class AnomalyScope {
 public:
  AnomalyScope();
  ~AnomalyScope();
  AnomalyScope(const AnomalyScope&) = delete;
  AnomalyScope& operator=(const AnomalyScope&) = delete;

 private:
  bool outer_;
};

/// d(sum of outputs·grad_outputs)/d(input) for each input, without touching any grad(). Undefined where an
/// input was not used. `grad_outputs` may be empty if every output holds one element.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, const BackwardOptions& options = {});

/// Makes `output` the result of op `op` (a string literal) on `inputs`: from here on `backward`, called with
/// (const Tensor& grad_output, Grads& grads), is its gradient. Without a NoGradScope and if an input needs a
/// gradient; else `output` is returned as it is.
template <class Backward>
Tensor record(const char* op, std::span<const detail::TensorRef> inputs, Tensor output, Backward&& backward) {
  if (detail::begin_record(op, inputs, output))
    detail::finish_record(
        op, inputs, output,
        detail::NodePtr(new detail::NodeOf<std::decay_t<Backward>>(std::forward<Backward>(backward))));
  return output;
}

template <class Backward>
Tensor record(const char* op, std::initializer_list<detail::TensorRef> inputs, Tensor output,
              Backward&& backward) {
  return record(op, std::span(inputs.begin(), inputs.size()), std::move(output),
                std::forward<Backward>(backward));
}

template <class Backward>
Tensor record(const char* op, const std::vector<Tensor>& inputs, Tensor output, Backward&& backward) {
  const std::vector<detail::TensorRef> refs(inputs.begin(), inputs.end());
  return record(op, std::span(refs), std::move(output), std::forward<Backward>(backward));
}

/// An input or output that a backward function keeps. get() throws GradError if it was changed in place
/// since.
class Saved {
 public:
  Saved() = default;
  /// Keeps nothing if `wanted` is false.
  explicit Saved(const Tensor& tensor, bool wanted = true);
  /// Keeps the op's own output (no cycle: the graph is joined again when it is read).
  static Saved output(const Tensor& tensor);
  /// The tensor; with its graph if the backward is itself recorded.
  Tensor get(const Grads& grads) const;

 private:
  Tensor tensor_;
  std::uint64_t version_ = 0;
  bool is_output_ = false;
};

namespace detail {

/// Told of every op that this thread computes, and of every gradient on its way back.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  /// An op is computed, in the layer current_layer_path(). Its node is output.impl_ptr()->node, null if the
  /// op was not recorded.
  virtual void on_op(const char* op, std::span<const Tensor> inputs, const Tensor& output) = 0;
  /// The gradient of the node's output is complete; the node's backward comes next.
  virtual void on_gradient(const Node& node, const Tensor& gradient) = 0;
  /// The node's backward has run.
  virtual void on_backward(const Node& node) = 0;
};
/// Sets this thread's observer and returns the one before; null for none.
OpObserver* set_op_observer(OpObserver* observer);
/// Whether this thread has an observer.
bool is_observed();

class Engine;

}  // namespace detail

/// The gradients that a backward function hands on. Every way of handing on accumulates.
class Grads {
 public:
  /// Whether the gradient of input `input` is wanted.
  bool wants(std::size_t input) const;
  /// Adds `gradient`, which has the input's shape and type.
  void add(std::size_t input, Tensor gradient);

  struct Into {
    Tensor gradient;  ///< write here: overwrite if beta is 0, add if it is 1
    int beta;
  };
  /// The input's gradient, for a kernel to write into, in any order with others: where two inputs are one
  /// tensor, each has memory of its own. GradError in a backward that is itself recorded: the op has no
  /// double backward.
  Into into(std::size_t input);

  /// Whether the backward is itself recorded (double backward). Then only add() may be used.
  bool create_graph() const { return create_graph_; }
  const detail::NodePtr& node() const { return node_; }

 private:
  friend class detail::Engine;
  Grads(detail::Engine& engine, const detail::NodePtr& node, bool create_graph)
      : engine_(engine), node_(node), create_graph_(create_graph) {}

  detail::Engine& engine_;
  const detail::NodePtr& node_;
  bool create_graph_;
  std::vector<std::pair<std::size_t, Tensor>> late_;  // added when the backward has returned
};

}  // namespace evenkeel
