#include <evenkeel/analysis/profile.h>
#include <evenkeel/core/dtype.h>
#include <evenkeel/core/error.h>
#include <evenkeel/core/layer_path.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <unordered_map>

namespace evenkeel::analysis {

namespace {

using Clock = std::chrono::steady_clock;

double bytes_of(const Tensor& tensor) {
  return tensor.defined() ? static_cast<double>(tensor.numel()) * static_cast<double>(size_of(tensor.dtype()))
                          : 0;
}

/// Operations of one product; 0 for other ops.
double flops_of(std::string_view op, std::span<const Tensor> inputs, const Tensor& output) {
  const auto product = [](const Tensor& many, double each) {
    return 2 * static_cast<double>(many.numel()) * each;
  };
  const auto per_filter = [&] {
    const Tensor& weight = inputs[1];
    return static_cast<double>(weight.shape().without(0).numel());
  };
  if (op == "conv" || op == "linear") return product(output, per_filter());
  if (op == "conv_transpose") return product(inputs[0], per_filter());
  if (op == "matmul") return product(output, static_cast<double>(inputs[0].dim(-1)));
  return 0;
}

/// Times one step. Ops follow each other on one thread, so an op's time is that since the op before.
class Stopwatch : public evenkeel::detail::OpObserver {
 public:
  void on_op(const char* op, std::span<const Tensor> inputs, const Tensor& output) override {
    if (in_backward_) return;
    const Clock::time_point now = Clock::now();
    const std::size_t index = index_of(current_layer_path());
    double bytes = bytes_of(output);
    for (const Tensor& input : inputs) bytes += bytes_of(input);
    const double flops = flops_of(op, inputs, output);
    Cost& forward = layers_[index].forward;
    forward.seconds += std::chrono::duration<double>(now - last_).count();
    forward.flops += flops;
    forward.bytes += bytes;
    if (const auto& node = output.impl_ptr()->node) {
      Cost cost;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].requires_grad()) continue;
        cost.bytes += bytes_of(inputs[i]);
        if (i < 2) cost.flops += flops;  // a bias costs no product
      }
      cost.bytes += bytes;
      backward_[node->sequence] = {index, cost};
    }
    last_ = Clock::now();
  }

  void on_gradient(const evenkeel::detail::Node&, const Tensor&) override {
    in_backward_ = true;
    last_ = Clock::now();
  }

  void on_backward(const evenkeel::detail::Node& node) override {
    const auto& [index, cost] = backward_.at(node.sequence);
    Cost& backward = layers_[index].backward;
    backward.seconds += std::chrono::duration<double>(Clock::now() - last_).count();
    backward.flops += cost.flops;
    backward.bytes += cost.bytes;
    in_backward_ = false;
  }

  void start() { last_ = Clock::now(); }
  std::vector<LayerCost> take() { return std::move(layers_); }

 private:
  struct Backward {
    std::size_t layer;
    Cost cost;
  };

  std::size_t index_of(const std::string& layer) {
    const auto [found, is_new] = index_.try_emplace(layer, layers_.size());
    if (is_new) layers_.push_back({layer, {}, {}});
    return found->second;
  }

  Clock::time_point last_;
  bool in_backward_ = false;
  std::vector<LayerCost> layers_;
  std::map<std::string, std::size_t> index_;
  std::unordered_map<std::uint64_t, Backward> backward_;  // by the node's sequence number
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void add(Cost& sum, const Cost& cost) {
  sum.seconds += cost.seconds;
  sum.flops += cost.flops;
  sum.bytes += cost.bytes;
}

}  // namespace

Profile profile(nn::Module& model, const Tensor& batch, const ProfileOptions& options) {
  if (options.runs < 1)
    throw ConfigError("[profile] expected at least one run, got " + std::to_string(options.runs));
  const detail::KeepState keep(model);
  std::vector<std::vector<LayerCost>> runs;
  for (int run = -1; run < options.runs; ++run) {
    const Tensor input = detail::as_input(batch);
    Stopwatch stopwatch;
    stopwatch.start();
    detail::run_step(model, input, options.loss, stopwatch);
    model.zero_grad();
    if (run >= 0) runs.push_back(stopwatch.take());
  }
  Profile result;
  result.layers = runs.front();
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    for (const auto direction : {&LayerCost::forward, &LayerCost::backward}) {
      std::vector<double> seconds;
      seconds.reserve(runs.size());
      for (const auto& run : runs) seconds.push_back((run.at(i).*direction).seconds);
      (result.layers[i].*direction).seconds = median(seconds);
      add(result.total.*direction, result.layers[i].*direction);
    }
  }
  return result;
}

}  // namespace evenkeel::analysis
