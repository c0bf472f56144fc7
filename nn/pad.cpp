#include <evenkeel/core/error.h>
#include <evenkeel/nn/pad.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace evenkeel::nn {

template <int D, PadMode mode>
Pad<D, mode>::Pad(const PadOptions& options) : options_(options) {
  auto& padding = options_.padding;
  if (padding.size() != 1 && padding.size() != 2 * D)
    throw ConfigError(fmt::format("[{}] expected padding as one number or {}, got [{}]", type_name(), 2 * D,
                                  fmt::join(padding, ", ")));
  if (mode != PadMode::constant && *std::min_element(padding.begin(), padding.end()) < 0)
    throw ConfigError(
        fmt::format("[{}] expected padding of at least 0, got [{}]", type_name(), fmt::join(padding, ", ")));
  if (mode != PadMode::constant && options_.value != 0)
    throw ConfigError(
        fmt::format("[{}] expected a value with ConstantPad only, got {}", type_name(), options_.value));
  if (padding.size() == 1) padding.assign(2 * D, padding.front());
}

template <int D, PadMode mode>
Tensor Pad<D, mode>::forward(const Tensor& x) {
  if (x.rank() != D + 2 && x.rank() != D + 1)
    throw ShapeError(fmt::format("[{}] expected x (N, C, L…) or (C, L…) with {} spatial axes, got {}",
                                 type_name(), D, x.shape().str()));
  return pad(x, options_.padding, mode, options_.value);
}

template <int D, PadMode mode>
std::string Pad<D, mode>::type_name() const {
  static constexpr const char* kNames[] = {"Constant", "Reflection", "Replication", "Circular"};
  return fmt::format("{}Pad{}d", kNames[static_cast<std::size_t>(mode)], D);
}

template <int D, PadMode mode>
std::string Pad<D, mode>::extra_repr() const {
  std::string text = fmt::format("padding=[{}]", fmt::join(options_.padding, ", "));
  return mode == PadMode::constant ? text + fmt::format(", value={}", options_.value) : text;
}

template class Pad<1, PadMode::constant>;
template class Pad<2, PadMode::constant>;
template class Pad<3, PadMode::constant>;
template class Pad<1, PadMode::reflect>;
template class Pad<2, PadMode::reflect>;
template class Pad<3, PadMode::reflect>;
template class Pad<1, PadMode::replicate>;
template class Pad<2, PadMode::replicate>;
template class Pad<3, PadMode::replicate>;
template class Pad<1, PadMode::circular>;
template class Pad<2, PadMode::circular>;
template class Pad<3, PadMode::circular>;

}  // namespace evenkeel::nn
