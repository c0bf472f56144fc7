#include <evenkeel/analysis/scale_report.h>
#include <evenkeel/core/layer_path.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace evenkeel::analysis {

namespace {

/// Layer and name of a dotted parameter name.
std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

class ScaleObserver : public evenkeel::detail::OpObserver {
 public:
  explicit ScaleObserver(const nn::Module& model) : parameters_(model.named_parameters()) {}

  void on_op(const char* op, std::span<const Tensor>, const Tensor& output) override {
    const auto& node = output.impl_ptr()->node;
    if (!node) return;
    const std::string layer = current_layer_path();
    add_parameters(layer);
    row_of_[node->sequence] = rows_.size();
    rows_.push_back({layer, op, false, output.shape(), scale_stats(output), {}});
  }

  void on_gradient(const evenkeel::detail::Node& node, const Tensor& gradient) override {
    rows_[row_of_.at(node.sequence)].backward = scale_stats(gradient);
  }

  void on_backward(const evenkeel::detail::Node&) override {}

  void add_input(const Tensor& input) {
    if (is_floating(input.dtype()))
      rows_.push_back({"", "input", false, input.shape(), scale_stats(input), {}});
  }

  /// All rows, when the backward has run.
  std::vector<ScaleRow> take(const Tensor& input) {
    const auto gradient_of = [](const Tensor& tensor) {
      return tensor.grad().defined() ? std::optional(scale_stats(tensor.grad())) : std::nullopt;
    };
    if (is_floating(input.dtype())) rows_.front().backward = gradient_of(input);
    for (const auto& [name, parameter] : parameters_) add_parameters(split(name).first);
    for (const auto& [row, tensor] : leaves_) rows_[row].backward = gradient_of(tensor);
    return std::move(rows_);
  }

 private:
  void add_parameters(const std::string& layer) {
    if (!layers_seen_.insert(layer).second) return;
    for (const auto& [path, parameter] : parameters_) {
      const auto [owner, name] = split(path);
      const Tensor& tensor = parameter;
      if (owner != layer || !is_floating(tensor.dtype())) continue;
      leaves_.emplace_back(rows_.size(), tensor);
      rows_.push_back({layer, name, true, tensor.shape(), scale_stats(tensor), {}});
    }
  }

  std::vector<nn::NamedParameter> parameters_;
  std::vector<ScaleRow> rows_;
  std::vector<std::pair<std::size_t, Tensor>> leaves_;
  std::set<std::string> layers_seen_;
  std::unordered_map<std::uint64_t, std::size_t> row_of_;  // by the node's sequence number
};

}  // namespace

ScaleReport scale_report(nn::Module& model, const Tensor& batch, const LossFunction& loss) {
  const detail::KeepState keep(model);
  const Tensor input = detail::as_input(batch);
  ScaleObserver observer(model);
  observer.add_input(input);
  detail::run_step(model, input, loss, observer);
  return {observer.take(input)};
}

}  // namespace evenkeel::analysis
