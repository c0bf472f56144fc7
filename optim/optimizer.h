#pragma once

#include <evenkeel/nn/parameter.h>
#include <evenkeel/optim/state.h>

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel::optim {

/// How an optimiser's step grows with the gradient: SGD's in proportion, Adam's not at all. μP rates differ.
enum class StepRule { sgd, adam };

/// Factor of one parameter's learning rate.
using LrScale = std::function<double(const nn::NamedParameter&, StepRule)>;

/// Some parameters, and their settings where these are not the optimiser's.
struct ParamGroup {
  std::vector<nn::NamedParameter> parameters;
  std::optional<double> lr = {};
  std::optional<double> weight_decay = {};
  LrScale lr_scale = {};                  ///< 1 for all if empty
  bool independent_weight_decay = false;  ///< a step decays by weight_decay, whatever the base rate is
};

/// What an optimiser takes: one group or several, module.named_parameters() (errors and checkpoints then name
/// the parameters), or module.parameters() (they are named by their numbers).
struct ParamGroups : std::vector<ParamGroup> {
  ParamGroups(std::initializer_list<ParamGroup> groups) : std::vector<ParamGroup>(groups) {}
  ParamGroups(std::vector<ParamGroup> groups) : std::vector<ParamGroup>(std::move(groups)) {}
  ParamGroups(ParamGroup group) : ParamGroups({std::move(group)}) {}
  ParamGroups(std::vector<nn::NamedParameter> named) : ParamGroups({ParamGroup{std::move(named)}}) {}
  ParamGroups(const std::vector<nn::Parameter>& unnamed);
};

/// Base of all optimisers: holds parameters in groups, and each parameter's state.
class Optimizer {
 public:
  /// A group at work. Rate of a parameter: lr · its lr_scale.
  struct Group {
    std::vector<nn::NamedParameter> parameters;
    std::vector<double> lr_scales;  ///< one a parameter
    double base_lr = 0;             ///< what schedules multiply
    double lr = 0;                  ///< the rate now: base_lr · all LrFactors
    double weight_decay = 0;
    bool independent_weight_decay = false;
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Changes every trainable parameter by its gradient and clears the gradients. GradError, before anything
  /// is changed, if one has no gradient. Frozen parameters (requires_grad off) are passed over.
  void step();
  void zero_grad();

  std::vector<Group>& groups() { return groups_; }
  const std::vector<Group>& groups() const { return groups_; }
  /// All that the next steps depend on: "<parameter>.exp_avg", "<parameter>.step", "group.0.lr", …. The
  /// tensors are copies.
  StateDict state() const;
  /// ConfigError or ShapeError, before anything is changed, if `state` is not one of an optimiser like this.
  void load_state(const StateDict& state);

 protected:
  static constexpr std::size_t kMaxBuffers = 3;

  /// One parameter's memory. Buffers are made at the first step that needs them.
  struct Slot {
    std::int64_t step = 0;
    std::array<Tensor, kMaxBuffers> buffers;
  };
  /// What a parameter's step needs beside the optimiser's own options.
  struct Rates {
    std::size_t group;
    double lr;
    double weight_decay;
  };
  struct Setting {
    const char* name;
    double* value;
  };

  explicit Optimizer(StepRule rule) : rule_(rule) {}
  /// ConfigError for a negative or infinite rate or decay, a parameter twice, or a group without parameters.
  void add_group(const ParamGroup& group, double lr, double weight_decay);

  virtual std::vector<const char*> buffer_names() const = 0;
  /// Whether parameters of a group have the buffer.
  virtual bool uses_buffer(std::size_t group, std::size_t buffer) const = 0;
  /// The group's numbers beside rate and decay.
  virtual std::vector<Setting> settings(std::size_t group) = 0;
  /// `slot.step` counts this step already.
  virtual void update(const Rates& rates, Slot& slot, Tensor& parameter, const Tensor& gradient) = 0;

 private:
  friend class LrFactor;
  template <class F>
  void visit(F&& f);
  void make_buffers(std::size_t group, Slot& slot, const Tensor& parameter) const;

  StepRule rule_;
  std::vector<Group> groups_;
  std::vector<std::vector<Slot>> slots_;  // as groups_[g].parameters
  std::vector<std::weak_ptr<const double>> lr_factors_;
};

/// What one schedule contributes to an optimiser's rates, from its making to its end: base rate · the product
/// of all factors. So several schedules work together, in whatever order they step or are restored.
class LrFactor {
 public:
  /// 1 at first. `optimizer` must outlive this.
  explicit LrFactor(Optimizer& optimizer);
  /// Sets every group's rate anew.
  void set(double factor);
  double value() const { return *value_; }

 private:
  Optimizer* optimizer_;
  std::shared_ptr<double> value_;
};

namespace detail {
/// ConfigError "[optimizer] expected <name> …" unless low ≤ value < high.
void check_range(const char* optimizer, const char* name, double value, double low, double high);
}  // namespace detail

}  // namespace evenkeel::optim
