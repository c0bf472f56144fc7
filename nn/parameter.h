#pragma once

#include <evenkeel/core/tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace evenkeel {

/// What a parameter is in μP (arXiv 2407.17465): decides how its learning rate scales with width.
enum class MupType : std::uint8_t { weight, bias, norm, output };

/// "weight", "bias", "norm" or "output".
const char* name(MupType type);
/// ConfigError for any other text.
MupType mup_type_from(const std::string& text);

namespace nn {

/// A tensor that is trained, with what an optimiser and a file must know of it. A handle: copies share all.
/// Only Module::add_parameter() makes one, so that none is forgotten.
class Parameter {
 public:
  /// An absent parameter: no bias, no affine weight.
  Parameter() = default;

  bool defined() const { return data_ != nullptr; }
  /// Undefined for an absent parameter, so that it can be passed on to an op as it is.
  const Tensor& tensor() const;
  operator const Tensor&() const { return tensor(); }

  std::optional<MupType> mup_type() const { return data_->mup_type; }
  /// Depth of the residual stack that the parameter is in; set by DepthSequential and DepthModuleList.
  std::optional<std::int64_t> mup_scaling_depth() const { return data_->mup_scaling_depth; }
  /// Fan-in for μP where it does not follow from the shape: a transposed convolution's.
  std::optional<double> mup_fan_in() const { return data_->mup_fan_in; }
  /// Name of the unit-scaling constraint of the parameter's layer; empty for a plain layer.
  const std::string& constraint() const { return data_->constraint; }
  void set_mup_type(std::optional<MupType> type) { data_->mup_type = type; }
  void set_mup_scaling_depth(std::optional<std::int64_t> depth) { data_->mup_scaling_depth = depth; }
  void set_mup_fan_in(std::optional<double> fan_in) { data_->mup_fan_in = fan_in; }
  void set_constraint(const std::string& constraint) { data_->constraint = constraint; }

 private:
  friend class Module;
  struct Data {
    Tensor tensor;
    std::optional<MupType> mup_type;
    std::optional<std::int64_t> mup_scaling_depth;
    std::string constraint;
    std::optional<double> mup_fan_in;
  };
  explicit Parameter(Tensor tensor)
      : data_(std::make_shared<Data>(Data{std::move(tensor), {}, {}, {}, {}})) {}

  std::shared_ptr<Data> data_;
};

struct NamedParameter {
  std::string name;  ///< dotted path below the module, as in a PyTorch state_dict: "block.conv1.weight"
  Parameter parameter;
};

}  // namespace nn
}  // namespace evenkeel
