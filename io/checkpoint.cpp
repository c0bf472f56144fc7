#include <evenkeel/core/error.h>
#include <evenkeel/io/checkpoint.h>
#include <evenkeel/io/module_tensors.h>
#include <evenkeel/io/own_file.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace evenkeel::io {

namespace {

constexpr const char* kFormat = "evenkeel.checkpoint";
constexpr bool kWithRandomState = true;

std::string group_of(const std::string& part) { return "/" + part + "/"; }

optim::StateDict read_state(const detail::Hdf5Reader& reader, const std::string& group) {
  optim::StateDict state;
  for (const std::string& name : reader.names(group).datasets) state[name] = reader.read(group + name);
  return state;
}

}  // namespace

void Checkpoint::add_part(const std::string& name, Part part) {
  const auto same = [&](const Part& other) { return other.name == name; };
  if (name.empty() || name.find('/') != std::string::npos || std::any_of(parts_.begin(), parts_.end(), same))
    throw ConfigError(fmt::format("[checkpoint] expected a new name without slashes, got \"{}\"", name));
  part.name = name;
  parts_.push_back(std::move(part));
}

void Checkpoint::add(const std::string& name, nn::Module& module) { add_part(name, {{}, {}, &module}); }

void Checkpoint::add(const std::string& name, Rng& rng) {
  const auto state = [&rng] {
    optim::StateDict out;
    optim::detail::put(out, "key", std::bit_cast<std::int64_t>(rng.state().key));
    optim::detail::put(out, "counter", std::bit_cast<std::int64_t>(rng.state().counter));
    return out;
  };
  add_part(name, {state, [&rng](const optim::StateDict& in) {
                    const std::int64_t key = optim::detail::get_count(in, "key");
                    const std::int64_t counter = optim::detail::get_count(in, "counter");
                    rng.set_state({std::bit_cast<std::uint64_t>(key), std::bit_cast<std::uint64_t>(counter)});
                  }});
}

void Checkpoint::add(const std::string& name, std::int64_t& number) {
  const auto state = [&number] {
    optim::StateDict out;
    optim::detail::put(out, "value", number);
    return out;
  };
  add_part(name, {state,
                  [&number](const optim::StateDict& in) { number = optim::detail::get_count(in, "value"); }});
}

void Checkpoint::save(const std::string& path) const {
  std::vector<std::pair<std::string, std::vector<detail::ModuleTensor>>> groups;
  std::size_t bytes = 0;
  for (const Part& part : parts_) {
    std::vector<detail::ModuleTensor> tensors;
    if (part.module != nullptr) {
      tensors = detail::module_tensors(*part.module, kWithRandomState);
      detail::check_finite("save_checkpoint", tensors);
    } else {
      for (const auto& [name, tensor] : part.state()) tensors.push_back({name, tensor, {}});
    }
    bytes += detail::byte_count(tensors);
    groups.emplace_back(part.name, std::move(tensors));
  }
  detail::Hdf5Writer writer = detail::start_file(kFormat, bytes);
  for (const auto& [name, tensors] : groups) {
    writer.group("/" + name);
    detail::write_module(writer, group_of(name), tensors);
  }
  detail::finish_file(writer, path);
}

void Checkpoint::load(const std::string& path) {
  const detail::Hdf5Reader reader = detail::open_own_file(path, kFormat);
  std::vector<std::string> names;
  for (const Part& part : parts_) names.push_back(part.name);
  std::sort(names.begin(), names.end());
  if (const std::vector<std::string> found = reader.names("/").groups; found != names)
    throw FileError(fmt::format("[load_checkpoint] expected the parts {} in {}, got {}",
                                fmt::join(names, ", "), path, fmt::join(found, ", ")));

  std::vector<detail::ModuleLoad> modules;
  std::vector<std::pair<const Part*, optim::StateDict>> states, previous;
  for (const Part& part : parts_) {
    if (part.module != nullptr)
      modules.emplace_back(reader, group_of(part.name),
                           detail::module_tensors(*part.module, kWithRandomState), LoadWeightsOptions{},
                           path);
    else
      states.emplace_back(&part, read_state(reader, group_of(part.name)));
  }
  for (const auto& [part, state] : states) previous.emplace_back(part, part->state());
  std::size_t done = 0;
  try {
    for (; done < states.size(); ++done) states[done].first->load_state(states[done].second);
  } catch (...) {
    while (done-- > 0) previous[done].first->load_state(previous[done].second);
    throw;
  }
  for (detail::ModuleLoad& module : modules) module.commit();
}

}  // namespace evenkeel::io
