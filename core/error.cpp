#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>

namespace evenkeel {

namespace {

thread_local detail::LayerPathScope* innermost = nullptr;

std::string with_layer_path(const std::string& message) {
  const std::string path = current_layer_path();
  return path.empty() ? message : message + " (in layer " + path + ")";
}

}  // namespace

Error::Error(const std::string& message) : std::runtime_error(with_layer_path(message)) {}

detail::LayerPathScope::LayerPathScope(const std::string& name) : name_(&name), outer_(innermost) {
  innermost = this;
}

detail::LayerPathScope::~LayerPathScope() { innermost = outer_; }

std::string current_layer_path() {
  std::string path;
  for (const auto* scope = innermost; scope != nullptr; scope = scope->outer_) {
    if (scope->name_->empty()) continue;
    path.insert(0, path.empty() ? *scope->name_ : *scope->name_ + ".");
  }
  return path;
}

}  // namespace evenkeel
