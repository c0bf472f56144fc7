#include <evenkeel/core/ops.h>
#include <evenkeel/nn/pooling.h>

#include <fmt/format.h>

namespace evenkeel::nn::detail {

namespace {

std::string windows(const Axes& kernel, const Axes& stride, const Axes& padding) {
  return fmt::format("kernel_size={}, stride={}, padding={}", kernel.str(),
                     (stride.is_set() ? stride : kernel).str(), padding.str());
}

const char* text(bool value) { return value ? "True" : "False"; }

}  // namespace

MaxPool::MaxPool(int rank, const MaxPoolOptions& options) : rank_(rank), options_(options) {
  evenkeel::detail::check_pool(fmt::format("MaxPool{}d", rank), rank, options);
}

Tensor MaxPool::forward(const Tensor& x) { return max_pool(x, rank_, options_); }

std::string MaxPool::extra_repr() const {
  return fmt::format("{}, dilation={}, ceil_mode={}",
                     windows(options_.kernel_size, options_.stride, options_.padding),
                     options_.dilation.str(), text(options_.ceil_mode));
}

AvgPool::AvgPool(int rank, const AvgPoolOptions& options) : rank_(rank), options_(options) {
  evenkeel::detail::check_pool(fmt::format("AvgPool{}d", rank), rank, options);
}

Tensor AvgPool::forward(const Tensor& x) { return avg_pool(x, rank_, options_); }

std::string AvgPool::extra_repr() const {
  return fmt::format("{}, ceil_mode={}, count_include_pad={}",
                     windows(options_.kernel_size, options_.stride, options_.padding),
                     text(options_.ceil_mode), text(options_.count_include_pad));
}

AdaptiveAvgPool::AdaptiveAvgPool(int rank, const Axes& output_size) : rank_(rank), output_size_(output_size) {
  output_size.over(rank, fmt::format("AdaptiveAvgPool{}d", rank), "output_size", std::int64_t{1});
}

Tensor AdaptiveAvgPool::forward(const Tensor& x) { return adaptive_avg_pool(x, rank_, output_size_); }

std::string AdaptiveAvgPool::extra_repr() const { return "output_size=" + output_size_.str(); }

}  // namespace evenkeel::nn::detail
