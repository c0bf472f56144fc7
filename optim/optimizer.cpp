#include <evenkeel/core/error.h>
#include <evenkeel/core/parallel.h>
#include <evenkeel/optim/optimizer.h>

#include <fmt/format.h>

#include <limits>
#include <set>

namespace evenkeel::optim {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<nn::NamedParameter> number(const std::vector<nn::Parameter>& parameters) {
  std::vector<nn::NamedParameter> named;
  for (const nn::Parameter& parameter : parameters)
    named.push_back({std::to_string(named.size()), parameter});
  return named;
}

}  // namespace

void detail::check_range(const char* optimizer, const char* name, double value, double low, double high) {
  if (!(value >= low && value < high))
    throw ConfigError(fmt::format("[{}] expected {} of at least {} and below {}, got {}", optimizer, name,
                                  low, high, value));
}

ParamGroups::ParamGroups(const std::vector<nn::Parameter>& unnamed) : ParamGroups(number(unnamed)) {}

void Optimizer::add_group(const ParamGroup& group, double lr, double weight_decay) {
  Group made{group.parameters,
             {},
             group.lr.value_or(lr),
             group.lr.value_or(lr),
             group.weight_decay.value_or(weight_decay),
             group.independent_weight_decay};
  detail::check_range("optimizer", "lr", made.lr, 0, kInfinity);
  detail::check_range("optimizer", "weight_decay", made.weight_decay, 0, kInfinity);
  if (made.parameters.empty()) throw ConfigError("[optimizer] expected parameters, got an empty group");
  std::set<const void*> known;
  std::set<std::string> names;
  for (const Group& other : groups_)
    for (const auto& [name, parameter] : other.parameters) {
      known.insert(parameter.tensor().impl_ptr().get());
      names.insert(name);
    }
  for (auto& [name, parameter] : made.parameters) {
    if (!parameter.defined())
      throw ConfigError("[optimizer] expected parameters that are there, got an absent one as \"" + name +
                        "\"");
    if (!known.insert(parameter.tensor().impl_ptr().get()).second)
      throw ConfigError("[optimizer] expected every parameter once, got \"" + name + "\" twice");
    if (names.contains(name)) name = fmt::format("{}.{}", groups_.size(), name);
    names.insert(name);
  }
  for (const nn::NamedParameter& parameter : made.parameters)
    made.lr_scales.push_back(group.lr_scale ? group.lr_scale(parameter, rule_) : 1.0);
  slots_.emplace_back(made.parameters.size());
  groups_.push_back(std::move(made));
}

template <class F>
void Optimizer::visit(F&& f) {
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (std::size_t i = 0; i < groups_[g].parameters.size(); ++i)
      f(g, i, groups_[g].parameters[i], slots_[g][i]);
}

void Optimizer::make_buffers(std::size_t group, Slot& slot, const Tensor& parameter) const {
  for (std::size_t b = 0; b < kMaxBuffers; ++b) {
    Tensor& buffer = slot.buffers[b];
    if (!buffer.defined()) {
      if (uses_buffer(group, b)) buffer = Tensor::zeros(parameter.shape(), parameter.dtype());
    } else if (buffer.dtype() != parameter.dtype()) {
      buffer = buffer.to(parameter.dtype());
    }
  }
}

void Optimizer::step() {
  visit([](std::size_t, std::size_t, const nn::NamedParameter& named, const Slot&) {
    const Tensor& parameter = named.parameter;
    if (!parameter.requires_grad()) return;
    const Tensor gradient = parameter.grad();
    if (!gradient.defined())
      throw GradError("[optimizer] expected a gradient of every trainable parameter, got none of \"" +
                      named.name + "\": run backward() on a loss that uses it, or freeze it");
    if (gradient.shape() != parameter.shape() || gradient.dtype() != parameter.dtype())
      throw GradError(fmt::format("[optimizer] expected a gradient {}{} of \"{}\", got {}{}",
                                  name(parameter.dtype()), parameter.shape().str(), named.name,
                                  name(gradient.dtype()), gradient.shape().str()));
  });
  struct Job {
    Rates rates;
    Slot* slot;
    Tensor parameter;
  };
  const auto run = [this](Job& job) {
    make_buffers(job.rates.group, *job.slot, job.parameter);
    ++job.slot->step;
    update(job.rates, *job.slot, job.parameter, job.parameter.grad());
    job.parameter.zero_grad();
  };
  // Large parameters are cut over the threads, each by itself; small ones are dealt out, many a piece.
  constexpr std::int64_t kPiece = 1 << 15;
  std::vector<Job> small;
  std::vector<std::size_t> ends;
  std::int64_t elements = 0;
  visit([&](std::size_t g, std::size_t i, const nn::NamedParameter& named, Slot& slot) {
    const Tensor& parameter = named.parameter;
    if (!parameter.requires_grad()) return;
    const Group& group = groups_[g];
    const double scale = group.lr_scales[i], base = group.base_lr * scale;
    const double decay = !group.independent_weight_decay ? group.weight_decay
                         : base > 0                      ? group.weight_decay / base
                                                         : 0;
    Job job{{g, group.lr * scale, decay}, &slot, parameter};
    if (parameter.numel() > kPiece) return run(job);
    small.push_back(std::move(job));
    elements += parameter.numel();
    if (elements < kPiece) return;
    ends.push_back(small.size());
    elements = 0;
  });
  if (ends.empty() || ends.back() != small.size()) ends.push_back(small.size());
  evenkeel::detail::parallel_for(static_cast<std::int64_t>(ends.size()), [&](std::int64_t piece) {
    const auto at = static_cast<std::size_t>(piece);
    for (std::size_t i = at == 0 ? 0 : ends[at - 1]; i < ends[at]; ++i) run(small[i]);
  });
}

void Optimizer::zero_grad() {
  visit([](std::size_t, std::size_t, const nn::NamedParameter& named, const Slot&) {
    Tensor(named.parameter.tensor()).zero_grad();
  });
}

LrFactor::LrFactor(Optimizer& optimizer) : optimizer_(&optimizer), value_(std::make_shared<double>(1)) {
  std::erase_if(optimizer.lr_factors_, [](const auto& factor) { return factor.expired(); });
  optimizer.lr_factors_.push_back(value_);
}

void LrFactor::set(double factor) {
  *value_ = factor;
  double product = 1;
  for (const auto& other : optimizer_->lr_factors_)
    if (const auto alive = other.lock()) product *= *alive;
  for (Optimizer::Group& group : optimizer_->groups_) group.lr = group.base_lr * product;
}

StateDict Optimizer::state() const {
  StateDict state;
  auto& self = const_cast<Optimizer&>(*this);
  const std::vector<const char*> names = buffer_names();
  self.visit([&](std::size_t, std::size_t, const nn::NamedParameter& named, const Slot& slot) {
    detail::put(state, named.name + ".step", slot.step);
    for (std::size_t b = 0; b < names.size(); ++b)
      if (slot.buffers[b].defined()) state[named.name + "." + names[b]] = slot.buffers[b].clone();
  });
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::string prefix = fmt::format("group.{}.", g);
    detail::put(state, prefix + "base_lr", groups_[g].base_lr);
    detail::put(state, prefix + "lr", groups_[g].lr);
    detail::put(state, prefix + "weight_decay", groups_[g].weight_decay);
    for (const auto& [name, value] : self.settings(g)) detail::put(state, prefix + name, *value);
  }
  return state;
}

void Optimizer::load_state(const StateDict& state) {
  const std::vector<const char*> names = buffer_names();
  std::vector<std::vector<Slot>> slots;
  std::size_t used = 0;
  for (const auto& group : slots_) slots.emplace_back(group.size());
  visit([&](std::size_t g, std::size_t i, const nn::NamedParameter& named, const Slot&) {
    Slot& slot = slots[g][i];
    slot.step = detail::get_count(state, named.name + ".step");
    ++used;
    for (std::size_t b = 0; b < names.size(); ++b) {
      if (slot.step == 0 || !uses_buffer(g, b)) continue;
      const std::string key = named.name + "." + names[b];
      const auto found = state.find(key);
      if (found == state.end())
        throw ConfigError("[load_state] expected \"" + key + "\", got a state without");
      if (found->second.shape() != named.parameter.tensor().shape())
        throw ShapeError("[load_state] expected " + named.parameter.tensor().shape().str() + " as \"" + key +
                         "\", got " + found->second.shape().str());
      slot.buffers[b] = found->second.clone();
      ++used;
    }
  });
  std::vector<std::pair<double*, double>> numbers;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    std::vector<Setting> all = settings(g);
    all.insert(all.end(), {{"base_lr", &groups_[g].base_lr},
                           {"lr", &groups_[g].lr},
                           {"weight_decay", &groups_[g].weight_decay}});
    for (const auto& [name, value] : all)
      numbers.emplace_back(value, detail::get_number(state, fmt::format("group.{}.{}", g, name)));
  }
  used += numbers.size();
  if (used != state.size())
    throw ConfigError(fmt::format(
        "[load_state] expected {} entries for these parameters and options, got a state of {}: another "
        "optimiser's, or another net's",
        used, state.size()));
  for (const auto& [target, value] : numbers) *target = value;
  slots_ = std::move(slots);
}

}  // namespace evenkeel::optim
