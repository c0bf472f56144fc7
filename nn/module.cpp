#include <evenkeel/core/autograd.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>
#include <evenkeel/nn/module.h>

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <typeinfo>
#include <utility>

namespace evenkeel::nn {

namespace {

thread_local ModuleObserver* observer = nullptr;

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

ModuleObserver* set_module_observer(ModuleObserver* next) { return std::exchange(observer, next); }

Tensor Module::forward(const Tensor&) {
  throw ConfigError("[" + type_name() + "] expected a module with a forward of one tensor, got one without");
}

Tensor Module::operator()(const Tensor& x) {
  const detail::LayerPathScope scope(name_);
  if (observer == nullptr) return forward(x);
  observer->on_enter(*this, x);
  Tensor out = forward(x);
  observer->on_exit(*this, x, out);
  return out;
}

Tensor Module::call_with(const Tensor& x, const Module& next) {
  if (observer != nullptr || evenkeel::detail::is_observed()) return {};
  const evenkeel::detail::LayerPathScope scope(name_);
  return forward_with(x, next);
}

std::string Module::type_name() const {
  int status = 0;
  char* text = abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, &status);
  std::string full = status == 0 ? text : typeid(*this).name();
  std::free(text);
  const std::size_t colon = full.rfind(':');
  return colon == std::string::npos ? full : full.substr(colon + 1);
}

void Module::check_name(const std::string& name) const {
  if (name.empty() || name.find('.') != std::string::npos)
    throw ConfigError("[module] expected a name without dots, got \"" + name + "\"");
  const auto same = [&](const auto& item) { return item.name == name; };
  if (std::any_of(parameters_.begin(), parameters_.end(), same) ||
      std::any_of(buffers_.begin(), buffers_.end(), same) ||
      std::any_of(children_.begin(), children_.end(), [&](const auto& item) { return item->name_ == name; }))
    throw ConfigError("[module] expected a new name, got \"" + name + "\" twice");
}

Parameter Module::add_parameter(const std::string& name, const Tensor& value,
                                std::optional<MupType> mup_type) {
  check_name(name);
  Tensor leaf = value.detach();
  leaf.set_requires_grad();
  Parameter parameter(leaf);
  parameter.set_mup_type(mup_type);
  parameters_.push_back({name, parameter});
  return parameter;
}

Tensor Module::add_buffer(const std::string& name, const Tensor& value, BufferKind kind) {
  check_name(name);
  buffers_.push_back({name, value, kind});
  return value;
}

Module& Module::add_child(const std::string& name, std::unique_ptr<Module> module) {
  check_name(name);
  module->name_ = name;
  children_.push_back(std::move(module));
  return *children_.back();
}

template <class F>
void Module::visit(const std::string& prefix, F&& f) const {
  f(prefix, *this);
  for (const auto& child : children_) child->visit(join(prefix, child->name_), f);
}

std::vector<NamedParameter> Module::named_parameters() const {
  std::vector<NamedParameter> all;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (const auto& [name, parameter] : module.parameters_) all.push_back({join(prefix, name), parameter});
  });
  return all;
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> all;
  for (const auto& [name, parameter] : named_parameters()) all.push_back(parameter);
  return all;
}

std::vector<NamedBuffer> Module::named_buffers() const {
  std::vector<NamedBuffer> all;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (const auto& [name, tensor, kind] : module.buffers_)
      all.push_back({join(prefix, name), tensor, kind});
  });
  return all;
}

std::vector<NamedModule> Module::named_modules() {
  std::vector<NamedModule> all;
  visit("", [&](const std::string& prefix, const Module& module) {
    all.push_back({prefix, const_cast<Module*>(&module)});
  });
  return all;
}

std::vector<NamedModule> Module::children() const {
  std::vector<NamedModule> all;
  for (const auto& child : children_) all.push_back({child->name_, child.get()});
  return all;
}

Module& Module::child(const std::string& path) {
  for (const auto& [name, module] : named_modules())
    if (name == path) return *module;
  throw ConfigError("[module] expected the path of a module, got \"" + path + "\"");
}

void Module::train(bool training) {
  for (const auto& [name, module] : named_modules()) module->training_ = training;
}

void Module::freeze(bool frozen) {
  for (const auto& [name, parameter] : named_parameters()) {
    Tensor leaf = parameter;
    leaf.set_requires_grad(!frozen);
    leaf.zero_grad();
  }
}

void Module::to(DType dtype) {
  if (!is_floating(dtype))
    throw DTypeError(std::string("[module] expected f32 or f64, got ") + evenkeel::name(dtype));
  const auto convert = [dtype](Tensor leaf) {
    if (is_floating(leaf.dtype())) leaf.set_data(leaf.detach().to(dtype));
  };
  for (const auto& [name, parameter] : named_parameters()) convert(parameter);
  for (const NamedBuffer& buffer : named_buffers()) convert(buffer.tensor);
}

void Module::zero_grad() {
  for (const auto& [name, parameter] : named_parameters()) Tensor(parameter.tensor()).zero_grad();
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : named_parameters()) count += parameter.tensor().numel();
  return count;
}

std::string Module::str() const { return str(""); }

std::string Module::str(const std::string& indent) const {
  std::string out = type_name() + "(" + extra_repr();
  if (children_.empty()) return out + ")";
  out += "\n";
  for (const auto& child : children_)
    out += indent + "  (" + child->name_ + "): " + child->str(indent + "  ") + "\n";
  return out + indent + ")";
}

}  // namespace evenkeel::nn
