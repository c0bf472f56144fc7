#pragma once

#include <evenkeel/core/random.h>
#include <evenkeel/core/tensor.h>
#include <evenkeel/nn/parameter.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel::nn {

enum class BufferKind : std::uint8_t {
  state,        ///< part of the net, as in a PyTorch state_dict: saved with the weights
  random_state  ///< of a random stream: saved in checkpoints only
};

struct NamedBuffer {
  std::string name;
  Tensor tensor;
  BufferKind kind = BufferKind::state;
};

class Module;

struct NamedModule {
  std::string name;  ///< empty for the root
  Module* module;
};

/// Base of all layers and nets: a tree of modules with named parameters (trained) and buffers (saved, not
/// trained). A module owns its children; it can be moved, not copied.
class Module {
 public:
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = delete;

  /// What the layer computes; called by operator(). ConfigError if the class defines none.
  virtual Tensor forward(const Tensor& x);
  /// forward(), with the layer's name in the path that errors carry.
  Tensor operator()(const Tensor& x);

  /// forward() of this layer and then of `next`, in one pass over memory; undefined if there is no such pass.
  /// Whoever observes ops or modules sees each layer by itself.
  Tensor call_with(const Tensor& x, const Module& next);

  /// Name of the class, as a summary prints it: "Conv1d".
  virtual std::string type_name() const;
  /// The options in short, as PyTorch's extra_repr: "16, 33, kernel_size=3".
  virtual std::string extra_repr() const { return {}; }
  /// Whether the module computes something of its own; containers that the net never calls do not.
  virtual bool has_forward() const { return true; }

  /// All parameters below, depth first in the order of their making, with dotted names.
  std::vector<NamedParameter> named_parameters() const;
  std::vector<Parameter> parameters() const;
  std::vector<NamedBuffer> named_buffers() const;
  /// This module and all below, parents first.
  std::vector<NamedModule> named_modules();
  /// The module at a dotted path; ConfigError if there is none.
  Module& child(const std::string& path);
  std::vector<NamedModule> children() const;
  /// The name that the parent gave; empty for the root.
  const std::string& name() const { return name_; }

  bool is_training() const { return training_; }
  /// Training or evaluation, for this module and all below.
  void train(bool training = true);
  void eval() { train(false); }
  /// Frozen parameters get no gradient and no optimiser touches them.
  void freeze(bool frozen = true);
  /// Converts floating parameters and buffers.
  void to(DType dtype);
  void zero_grad();
  /// Number of elements of all parameters.
  std::int64_t parameter_count() const;

  /// The tree with names, types and options, as PyTorch prints it.
  std::string str() const;

 protected:
  Module() = default;

  /// What call_with() computes, where a layer has a way to.
  virtual Tensor forward_with(const Tensor&, const Module&) { return {}; }

  /// ConfigError for a name that is taken, empty or holds a dot.
  Parameter add_parameter(const std::string& name, const Tensor& value, std::optional<MupType> mup_type = {});
  /// The buffer's tensor, which a load or to() changes behind the handle.
  Tensor add_buffer(const std::string& name, const Tensor& value, BufferKind kind = BufferKind::state);
  /// Takes a module over as the child `name`; the reference lives as long as this module.
  template <class M>
  M& add(const std::string& name, M module) {
    return static_cast<M&>(add_child(name, std::make_unique<M>(std::move(module))));
  }
  Module& add_child(const std::string& name, std::unique_ptr<Module> module);

 private:
  void check_name(const std::string& name) const;
  std::string str(const std::string& indent) const;
  template <class F>
  void visit(const std::string& prefix, F&& f) const;

  std::string name_;
  bool training_ = true;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedBuffer> buffers_;
  std::vector<std::unique_ptr<Module>> children_;
};

/// Told of every call of a module on this thread: the ground of summary() and profile().
class ModuleObserver {
 public:
  virtual ~ModuleObserver() = default;
  virtual void on_enter(Module& module, const Tensor& input) = 0;
  virtual void on_exit(Module& module, const Tensor& input, const Tensor& output) = 0;
};
/// Sets this thread's observer and returns the one before; null for none.
ModuleObserver* set_module_observer(ModuleObserver* observer);

}  // namespace evenkeel::nn
