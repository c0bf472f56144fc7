#include <evenkeel/core/autograd.h>
#include <evenkeel/nn/summary.h>

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <set>

namespace evenkeel::nn {

namespace {

constexpr std::int64_t kBatch = 2;  // batch norm needs two values a channel

std::int64_t own_parameters(const Module& module) {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : module.named_parameters())
    if (name.find('.') == std::string::npos) count += parameter.tensor().numel();
  return count;
}

Shape item_of(const Shape& shape) { return shape.slice(shape.rank() > 0 ? 1 : 0, shape.rank()); }

/// Multiply-adds of an op on the whole batch; 0 for ops that are neither convolution nor matrix product.
std::int64_t multiply_adds_of(const char* op, std::span<const Tensor> inputs, const Tensor& output) {
  const auto is = [op](const char* name) { return std::strcmp(op, name) == 0; };
  if (is("conv") || is("linear")) return output.numel() * (inputs[1].numel() / inputs[1].dim(0));
  if (is("conv_transpose")) return inputs[0].numel() * (inputs[1].numel() / inputs[1].dim(0));
  if (is("matmul")) return output.numel() * inputs[0].dim(-1);
  return 0;
}

class Recorder : public ModuleObserver, public evenkeel::detail::OpObserver {
 public:
  explicit Recorder(Module& root)
      : outer_modules_(set_module_observer(this)), outer_ops_(evenkeel::detail::set_op_observer(this)) {
    for (const auto& [path, module] : root.named_modules()) paths_[module] = path;
  }
  ~Recorder() override {
    set_module_observer(outer_modules_);
    evenkeel::detail::set_op_observer(outer_ops_);
  }

  void on_enter(Module&, const Tensor&) override { multiply_adds_.push_back(0); }

  void on_exit(Module& module, const Tensor&, const Tensor& output) override {
    const std::int64_t own = multiply_adds_.back();
    multiply_adds_.pop_back();
    if (!module.has_forward()) return;
    rows.push_back({fmt::format("{}-{}", module.type_name(), rows.size() + 1), paths_[&module],
                    item_of(output.shape()), seen_.insert(&module).second ? own_parameters(module) : 0,
                    own / kBatch});
  }

  void on_op(const char* op, std::span<const Tensor> inputs, const Tensor& output) override {
    if (!multiply_adds_.empty()) multiply_adds_.back() += multiply_adds_of(op, inputs, output);
  }
  void on_gradient(const evenkeel::detail::Node&, const Tensor&) override {}
  void on_backward(const evenkeel::detail::Node&) override {}

  std::vector<SummaryRow> rows;

 private:
  ModuleObserver* outer_modules_;
  evenkeel::detail::OpObserver* outer_ops_;
  std::map<const Module*, std::string> paths_;
  std::set<const Module*> seen_;
  std::vector<std::int64_t> multiply_adds_;  // of the modules that are being called, without their children's
};

/// Puts the buffers back when it ends.
class KeptBuffers {
 public:
  explicit KeptBuffers(const Module& module) : buffers_(module.named_buffers()) {
    for (const NamedBuffer& buffer : buffers_) values_.push_back(buffer.tensor.clone());
  }
  ~KeptBuffers() {
    for (std::size_t i = 0; i < buffers_.size(); ++i) buffers_[i].tensor.copy_(values_[i]);
  }
  KeptBuffers(const KeptBuffers&) = delete;
  KeptBuffers& operator=(const KeptBuffers&) = delete;

 private:
  std::vector<NamedBuffer> buffers_;
  std::vector<Tensor> values_;
};

/// 1234567 as "1,234,567".
std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// Names of more than 20 characters lose their middle.
std::string shortened(const std::string& name) {
  return name.size() <= 20 ? name : name.substr(0, 8) + "..." + name.substr(name.size() - 9);
}

}  // namespace

Summary summary(Module& module, const Shape& input) {
  const auto parameters = module.named_parameters();
  const DType dtype = parameters.empty() ? DType::f32 : parameters.front().parameter.tensor().dtype();
  Shape batch{kBatch};
  for (const std::int64_t size : input) batch = batch.append(size);
  Summary out;
  out.input = input;
  {
    const NoGradScope no_grad;
    const KeptBuffers kept(module);
    Recorder recorder(module);
    module(Tensor::zeros(batch, dtype));
    out.rows = std::move(recorder.rows);
  }
  const auto bytes = [dtype](std::int64_t elements) {
    return elements * static_cast<std::int64_t>(size_of(dtype));
  };
  for (const auto& [name, parameter] : parameters) {
    out.parameters += parameter.tensor().numel();
    if (parameter.tensor().requires_grad()) out.trainable_parameters += parameter.tensor().numel();
  }
  std::int64_t activations = 0;
  for (const SummaryRow& row : out.rows) {
    out.multiply_adds += row.multiply_adds;
    activations += row.output.numel();
  }
  out.input_bytes = bytes(input.numel());
  out.activation_bytes = 2 * bytes(activations);
  out.parameter_bytes = bytes(out.parameters);
  return out;
}

std::string Summary::str() const {
  const std::string thin(64, '-'), thick(64, '=');
  std::string text = thin + "\n";
  const auto line = [&](const std::string& name, const std::string& shape, const std::string& count) {
    text += fmt::format("{:>20}  {:>25} {:>15}\n", name, shape, count);
  };
  line("Layer (type)", "Output Shape", "Param #");
  text += thick + "\n";
  for (const SummaryRow& row : rows) {
    std::string shape = "[-1";
    for (const std::int64_t size : row.output) shape += fmt::format(", {}", size);
    line(shortened(row.name), shape + "]", grouped(row.parameters));
  }
  const auto megabytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  text += fmt::format("{}\nTotal params: {}\nTrainable params: {}\nNon-trainable params: {}\n{}\n", thick,
                      grouped(parameters), grouped(trainable_parameters),
                      grouped(parameters - trainable_parameters), thin);
  text += fmt::format(
      "Input size (MB): {:.2f}\nForward/backward pass size (MB): {:.2f}\nParams size (MB): {:.2f}\n"
      "Estimated Total Size (MB): {:.2f}\n{}\n",
      megabytes(input_bytes), megabytes(activation_bytes), megabytes(parameter_bytes),
      megabytes(input_bytes + activation_bytes + parameter_bytes), thin);
  return text;
}

}  // namespace evenkeel::nn
