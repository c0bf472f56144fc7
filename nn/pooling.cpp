#include <evenkeel/nn/pooling.h>

#include <fmt/format.h>

namespace evenkeel::nn {

namespace {

std::string windows(const Axes& kernel, const Axes& stride, const Axes& padding) {
  return fmt::format("kernel_size={}, stride={}, padding={}", kernel.str(),
                     (stride.is_set() ? stride : kernel).str(), padding.str());
}

const char* text(bool value) { return value ? "True" : "False"; }

}  // namespace

template <int D>
MaxPool<D>::MaxPool(const MaxPoolOptions& options) : options_(options) {
  evenkeel::detail::check_pool(type_name(), D, options);
}

template <int D>
std::string MaxPool<D>::extra_repr() const {
  return fmt::format("{}, dilation={}, ceil_mode={}",
                     windows(options_.kernel_size, options_.stride, options_.padding),
                     options_.dilation.str(), text(options_.ceil_mode));
}

template <int D>
AvgPool<D>::AvgPool(const AvgPoolOptions& options) : options_(options) {
  evenkeel::detail::check_pool(type_name(), D, options);
}

template <int D>
std::string AvgPool<D>::extra_repr() const {
  return fmt::format("{}, ceil_mode={}, count_include_pad={}",
                     windows(options_.kernel_size, options_.stride, options_.padding),
                     text(options_.ceil_mode), text(options_.count_include_pad));
}

template <int D>
AdaptiveAvgPool<D>::AdaptiveAvgPool(const Axes& output_size) : output_size_(output_size) {
  output_size.over(D, type_name(), "output_size", std::int64_t{1});
}

#define EVENKEEL_INSTANTIATE(D) \
  template class MaxPool<D>;    \
  template class AvgPool<D>;    \
  template class AdaptiveAvgPool<D>;
EVENKEEL_INSTANTIATE(1)
EVENKEEL_INSTANTIATE(2)
EVENKEEL_INSTANTIATE(3)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::nn
