#include <evenkeel/core/error.h>
#include <evenkeel/optim/state.h>

namespace evenkeel::optim::detail {

namespace {

const Tensor& scalar(const StateDict& state, const std::string& name, DType dtype) {
  const auto found = state.find(name);
  if (found == state.end()) throw ConfigError("[load_state] expected \"" + name + "\", got a state without");
  const Tensor& value = found->second;
  if (value.dtype() != dtype || value.numel() != 1)
    throw ConfigError("[load_state] expected one " + std::string(evenkeel::name(dtype)) + " as \"" + name +
                      "\", got " + evenkeel::name(value.dtype()) + value.shape().str());
  return value;
}

}  // namespace

void put(StateDict& state, const std::string& name, double value) {
  state[name] = Tensor::from({value}, Shape{});
}

void put(StateDict& state, const std::string& name, std::int64_t value) {
  state[name] = Tensor::from({value}, Shape{});
}

double get_number(const StateDict& state, const std::string& name) {
  return *scalar(state, name, DType::f64).data<double>();
}

std::int64_t get_count(const StateDict& state, const std::string& name) {
  return *scalar(state, name, DType::i64).data<std::int64_t>();
}

}  // namespace evenkeel::optim::detail
