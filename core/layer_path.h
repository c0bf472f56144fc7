#pragma once

#include <string>

namespace evenkeel {

/// Dotted path of the layer whose call this thread is in ("block.conv1"); empty outside any call.
std::string current_layer_path();

namespace detail {

/// Marks that the thread is inside the call of the layer `name` until the scope ends.
/// `name` must outlive the scope.
class LayerPathScope {
 public:
  explicit LayerPathScope(const std::string& name);
  ~LayerPathScope();
  LayerPathScope(const LayerPathScope&) = delete;
  LayerPathScope& operator=(const LayerPathScope&) = delete;

 private:
  friend std::string evenkeel::current_layer_path();
  const std::string* name_;
  LayerPathScope* outer_;
};

}  // namespace detail
}  // namespace evenkeel
