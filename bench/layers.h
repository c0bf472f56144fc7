#pragma once

#include <evenkeel/nn/module.h>

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>

namespace evenkeel::bench {

/// The generator that all cases draw from.
Rng& rng();

/// A function of its input as a module.
class Function : public nn::Module {
 public:
  explicit Function(std::function<Tensor(const Tensor&)> function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& x) override { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

bool has_layer(const std::string& name);

/// The layer, loss or chain of ops of a case in cases.json. ConfigError if an option is missing or is none.
std::unique_ptr<nn::Module> make_layer(const nlohmann::json& entry);

Shape input_shape(const nlohmann::json& entry);

}  // namespace evenkeel::bench
