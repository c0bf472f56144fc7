#include <evenkeel/core/error.h>
#include <evenkeel/nn/parameter.h>

namespace evenkeel {

const char* name(MupType type) {
  switch (type) {
    case MupType::weight:
      return "weight";
    case MupType::bias:
      return "bias";
    case MupType::norm:
      return "norm";
    case MupType::output:
      return "output";
  }
  return "unknown";
}

MupType mup_type_from(const std::string& text) {
  for (const MupType type : {MupType::weight, MupType::bias, MupType::norm, MupType::output})
    if (text == name(type)) return type;
  throw ConfigError("[mup_type] expected weight, bias, norm or output, got " + text);
}

const Tensor& nn::Parameter::tensor() const {
  static const Tensor none;
  return data_ ? data_->tensor : none;
}

}  // namespace evenkeel
