#include <evenkeel/core/error.h>
#include <evenkeel/io/module_tensors.h>
#include <evenkeel/nn/conv.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <utility>

namespace evenkeel::io::detail {

namespace {

bool is_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  return evenkeel::detail::dispatch_floating("is_finite", tensor.dtype(), [&]<class T>() {
    const std::span values(tensor.data<T>(), static_cast<std::size_t>(tensor.numel()));
    return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
  });
}

template <int D>
bool add_megengine_shapes(const nn::Module& module, const std::string& prefix,
                          std::map<std::string, Shape>& shapes) {
  const auto* conv = dynamic_cast<const nn::Conv<D>*>(&module);
  if (conv == nullptr) return false;
  const std::int64_t groups = conv->options().groups, out = conv->options().out_channels;
  const Shape& weight = conv->weight().tensor().shape();
  std::vector<std::int64_t> sizes(weight.begin(), weight.end());
  if (groups != 1) {
    sizes[0] = out / groups;
    sizes.insert(sizes.begin(), groups);
  }
  shapes.emplace(prefix + "weight", Shape(sizes));
  std::vector<std::int64_t> bias(D + 2, 1);
  bias[1] = out;
  shapes.emplace(prefix + "bias", Shape(bias));
  return true;
}

void collect_megengine_shapes(const nn::Module& module, const std::string& prefix,
                              std::map<std::string, Shape>& shapes) {
  if (add_megengine_shapes<1>(module, prefix, shapes) || add_megengine_shapes<2>(module, prefix, shapes) ||
      add_megengine_shapes<3>(module, prefix, shapes))
    return;
  for (const auto& [name, child] : module.children())
    collect_megengine_shapes(*child, prefix + name + ".", shapes);
}

Marks read_marks(const Hdf5Reader& reader, const std::string& dataset) {
  return {reader.text(dataset, "mup_type").value_or(""), reader.number(dataset, "mup_scaling_depth"),
          reader.text(dataset, "constraint").value_or("")};
}

}  // namespace

std::string Marks::str() const {
  std::vector<std::string> parts;
  if (!mup_type.empty()) parts.push_back("mup_type=" + mup_type);
  if (mup_scaling_depth) parts.push_back(fmt::format("mup_scaling_depth={}", *mup_scaling_depth));
  if (!constraint.empty()) parts.push_back("constraint=" + constraint);
  return parts.empty() ? "no μP or unit-scaling marks" : fmt::format("{}", fmt::join(parts, " "));
}

std::vector<ModuleTensor> module_tensors(const nn::Module& module, bool with_random_state, Layout layout) {
  std::vector<ModuleTensor> tensors;
  for (const auto& [name, parameter] : module.named_parameters()) {
    const std::optional<MupType> type = parameter.mup_type();
    tensors.push_back(
        {name,
         parameter.tensor(),
         {type ? evenkeel::name(*type) : "", parameter.mup_scaling_depth(), parameter.constraint()}});
  }
  for (const nn::NamedBuffer& buffer : module.named_buffers())
    if (with_random_state || buffer.kind != nn::BufferKind::random_state)
      tensors.push_back({buffer.name, buffer.tensor, {}});
  if (layout == Layout::megengine) {
    std::map<std::string, Shape> shapes;
    collect_megengine_shapes(module, "", shapes);
    for (ModuleTensor& item : tensors)
      if (const auto shape = shapes.find(item.name); shape != shapes.end())
        item.tensor = evenkeel::detail::view(item.tensor, shape->second);
  }
  for (const ModuleTensor& item : tensors)
    if (item.name.find('/') != std::string::npos)
      throw ConfigError(fmt::format("[io] expected names without \"/\", got \"{}\"", item.name));
  return tensors;
}

std::size_t byte_count(const std::vector<ModuleTensor>& tensors) {
  std::size_t bytes = 0;
  for (const ModuleTensor& item : tensors)
    bytes += static_cast<std::size_t>(item.tensor.numel()) * size_of(item.tensor.dtype());
  return bytes;
}

void check_finite(const char* op, const std::vector<ModuleTensor>& tensors) {
  std::vector<std::string> bad;
  for (const ModuleTensor& item : tensors)
    if (!is_finite(item.tensor)) bad.push_back(item.name);
  if (!bad.empty())
    throw ValueError(
        fmt::format("[{}] expected finite values, got NaN or infinity in {}", op, fmt::join(bad, ", ")));
}

void write_module(Hdf5Writer& writer, const std::string& group, const std::vector<ModuleTensor>& tensors) {
  for (const auto& [name, tensor, marks] : tensors) {
    const std::string dataset = group + name;
    writer.dataset(dataset, tensor);
    if (!marks.mup_type.empty()) writer.attribute(dataset, "mup_type", marks.mup_type);
    if (marks.mup_scaling_depth) writer.attribute(dataset, "mup_scaling_depth", *marks.mup_scaling_depth);
    if (!marks.constraint.empty()) writer.attribute(dataset, "constraint", marks.constraint);
  }
}

ModuleLoad::ModuleLoad(const Hdf5Reader& reader, const std::string& group,
                       const std::vector<ModuleTensor>& tensors, const LoadWeightsOptions& options,
                       const std::string& path) {
  const auto [datasets, groups] = reader.names(group);
  std::vector<std::string> wrong;
  std::set<std::string> known;
  for (const ModuleTensor& item : tensors) {
    known.insert(item.name);
    if (!std::binary_search(datasets.begin(), datasets.end(), item.name)) {
      report_.missing.push_back(item.name);
      continue;
    }
    const std::string dataset = group + item.name;
    const Hdf5Info info = reader.info(dataset);
    const Marks marks = read_marks(reader, dataset);
    const auto mismatch = [&](const char* what, const std::string& expected, const std::string& got) {
      wrong.push_back(fmt::format("{} of {}: expected {}, got {}", what, item.name, expected, got));
    };
    if (info.shape != item.tensor.shape()) mismatch("shape", item.tensor.shape().str(), info.shape.str());
    if (info.dtype != item.tensor.dtype()) mismatch("type", evenkeel::name(item.tensor.dtype()), info.type);
    if (marks != item.marks && !(options.allow_unmarked && marks == Marks{}))
      mismatch("parametrisation", item.marks.str(), marks.str());
    if (info.shape != item.tensor.shape() || info.dtype != item.tensor.dtype()) continue;
    const Tensor value = reader.read(dataset);
    if (!options.allow_nonfinite && !is_finite(value))
      mismatch("values", "finite numbers", "NaN or infinity");
    values_.emplace_back(item.tensor, value);
    report_.loaded.push_back(item.name);
  }
  for (const auto* names : {&datasets, &groups})
    for (const std::string& name : *names)
      if (!known.contains(name)) report_.unexpected.push_back(name);
  if (options.strict && !report_.unexpected.empty())
    wrong.insert(wrong.begin(), fmt::format("unexpected: {}", fmt::join(report_.unexpected, ", ")));
  if (options.strict && !report_.missing.empty())
    wrong.insert(wrong.begin(), fmt::format("missing: {}", fmt::join(report_.missing, ", ")));
  if (!wrong.empty())
    throw FileError(fmt::format("[load_weights] expected the module's tensors in {}, got\n  {}", path,
                                fmt::join(wrong, "\n  ")));
}

void ModuleLoad::commit() {
  for (auto& [target, source] : values_) target.copy_(source);
}

}  // namespace evenkeel::io::detail
