#include "cases.h"

#include "layers.h"
#include "nets.h"

#include <evenkeel/evenkeel.h>

#include <algorithm>
#include <fstream>

namespace evenkeel::bench {

namespace {

using nlohmann::json;

/// The parameters of an optimiser's case.
class Bag : public nn::Module {
 public:
  Bag(const Shape& shape, int count) {
    for (int i = 0; i < count; ++i) add_parameter("p" + std::to_string(i), Tensor::randn(shape, rng()));
  }
};

Run make_optimiser(const json& entry) {
  auto bag = std::make_shared<Bag>(input_shape(entry), entry.value("count", 1));
  std::vector<Tensor> leaves, gradients;
  for (const nn::Parameter& parameter : bag->parameters()) {
    leaves.push_back(parameter);
    gradients.push_back(Tensor::randn(input_shape(entry), rng()));
  }
  std::shared_ptr<optim::Optimizer> optimizer;
  if (entry["layer"] == "SGD")
    optimizer =
        std::make_shared<optim::SGD>(bag->parameters(), optim::SGDOptions{.lr = 1e-3, .momentum = 0.9});
  else if (entry["layer"] == "Adam")
    optimizer = std::make_shared<optim::Adam>(bag->parameters(), optim::AdamOptions{.lr = 1e-3});
  else
    optimizer = std::make_shared<optim::AdamW>(bag->parameters(), optim::AdamWOptions{.lr = 1e-3});
  return [=]() mutable {
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].set_grad(gradients[i]);
    optimizer->step();
  };
}

/// Reads parameter, gradient and state, writes parameter and state.
Work optimiser_work(const json& entry) {
  const double streams = entry["layer"] == "SGD" ? 5 : 7;
  return {.bytes = streams * sizeof(float) * entry.value("count", 1) * double(input_shape(entry).numel())};
}

Run make_step(const json& entry) {
  const Training training = make_training(entry["layer"], input_shape(entry));
  const Tensor x = Tensor::randn(input_shape(entry), rng());
  return [=] { training.step(x); };
}

analysis::Profile profile_of(const Case& item) {
  const Tensor x = Tensor::randn(input_shape(item.entry), rng());
  if (item.group != "step") return analysis::profile(*make_layer(item.entry), x, {.runs = 1});
  const Training training = make_training(item.entry["layer"], input_shape(item.entry));
  return analysis::profile(*training.net, x, {.runs = 1, .loss = training.loss});
}

json read_list(const std::string& path) {
  const auto refuse = [&](const std::string& what) -> FileError {
    return FileError("[bench] expected a list of cases in " + path + ", got " + what);
  };
  std::ifstream file(path);
  if (!file) throw refuse("no file that can be read");
  json list;
  try {
    list = json::parse(file);
  } catch (const json::exception& error) {
    throw refuse(error.what());
  }
  if (!list.is_array() || list.empty())
    throw refuse(list.empty() ? "none" : "one " + std::string(list.type_name()));
  return list;
}

bool is_known(const std::string& group, const std::string& layer) {
  if (group == "step") return has_training(layer);
  if (group == "optimiser") return layer == "SGD" || layer == "Adam" || layer == "AdamW";
  return has_layer(layer);
}

Case whole_case(const std::string& path, const json& entry) {
  const auto is_text = [&](const char* key) { return entry.contains(key) && entry[key].is_string(); };
  if (!is_text("name") || !is_text("group") || !is_text("layer") || !entry.contains("input") ||
      !entry["input"].is_array())
    throw FileError("[bench] expected cases with a name, a group, a layer and an input in " + path +
                    ", got " + entry.dump());
  Case item{entry["name"], entry["group"], entry};
  if (!is_known(item.group, entry["layer"]))
    throw FileError("[bench] expected layers that the bench knows in " + path + ", got " + entry.dump());
  return item;
}

}  // namespace

std::vector<Case> read_cases(const std::string& path, const std::vector<std::string>& only) {
  std::vector<bool> found(only.size());
  std::vector<Case> cases;
  for (const json& entry : read_list(path)) {
    Case item = whole_case(path, entry);
    bool chosen = only.empty();
    for (std::size_t i = 0; i < only.size(); ++i) {
      if (item.group != only[i] && item.name.find(only[i]) == std::string::npos) continue;
      found[i] = chosen = true;
    }
    if (chosen) cases.push_back(std::move(item));
  }
  const auto missed = std::find(found.begin(), found.end(), false) - found.begin();
  if (missed < std::ssize(only))
    throw ConfigError("[bench] expected a group or a part of a case's name in " + path + ", got \"" +
                      only[static_cast<std::size_t>(missed)] + "\"");
  return cases;
}

std::vector<std::string> passes(const Case& item) {
  if (item.group == "step" || item.group == "optimiser") return {"step"};
  if (item.group == "conv" || item.group == "depthwise" || item.group == "transposed")
    return {"forward", "input grad", "weight grad"};
  return {"forward", "train"};
}

Run make_run(const Case& item, const std::string& pass) {
  if (item.group == "step") return make_step(item.entry);
  if (item.group == "optimiser") return make_optimiser(item.entry);
  const std::shared_ptr<nn::Module> layer = make_layer(item.entry);
  Tensor x = Tensor::randn(input_shape(item.entry), rng());
  if (pass == "forward")
    return [=] {
      const NoGradScope no_grad;
      (*layer)(x);
    };
  std::vector<Tensor> leaves;
  for (const nn::Parameter& parameter : layer->parameters()) leaves.push_back(parameter);
  if (pass == "train") {
    leaves.push_back(x.set_requires_grad());
    const Tensor gy = Tensor::randn((*layer)(x).shape(), rng());
    return [=]() mutable {
      for (Tensor& leaf : leaves) leaf.zero_grad();
      (*layer)(x).backward(gy);
    };
  }
  const bool wants_input = pass == "input grad";
  for (Tensor& leaf : leaves) leaf.set_requires_grad(!wants_input);
  x.set_requires_grad(wants_input);
  const std::vector<Tensor> wanted = wants_input ? std::vector{x} : leaves;
  const Tensor y = (*layer)(x), gy = Tensor::randn(y.shape(), rng());
  return [=] { grad({y}, wanted, {gy}, {.retain_graph = true}); };
}

Work work(const Case& item, const std::string& pass) {
  if (item.group == "optimiser") return optimiser_work(item.entry);
  const auto [forward, backward] = [&] {
    const analysis::LayerCost total = profile_of(item).total;
    return std::pair(total.forward, total.backward);
  }();
  // Each gradient of a convolution costs what its forward does.
  if (pass != "train" && pass != "step") return {forward.flops, forward.bytes};
  return {forward.flops + backward.flops, forward.bytes + backward.bytes};
}

}  // namespace evenkeel::bench
