#include "support/declared.h"

#include <evenkeel/nn/module.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <typeinfo>

namespace evenkeel::test {

namespace {

/// f(text, prefix) for every header.
template <class F>
void for_each_header(const std::string& folder, F&& f) {
  const std::filesystem::path root = EVENKEEL_SOURCE_DIR "/" + folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::filesystem::path inner = entry.path().parent_path().lexically_relative(root);
    f(text, inner == "." ? "" : inner.string() + "::");
  }
}

/// f(match) for every match of `pattern`, whose ^ is the begin of a line.
template <class F>
void for_each_match(const std::string& text, const char* pattern, F&& f) {
  const std::regex regex(pattern, std::regex::ECMAScript | std::regex::multiline);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match) f(*match);
}

}  // namespace

std::set<std::string> declared_functions(const std::string& folder) {
  std::set<std::string> names;
  for_each_header(folder, [&](const std::string& text, const std::string& prefix) {
    for_each_match(text, R"(^(?:inline )?Tensor (\w+)\()",
                   [&](const std::smatch& match) { names.insert(prefix + match.str(1)); });
  });
  return names;
}

std::set<std::string> declared_classes(const std::string& folder) {
  std::map<std::string, bool> is_template;
  std::map<std::string, std::set<std::string>> instances;
  for_each_header(folder, [&](const std::string& text, const std::string& prefix) {
    for_each_match(text, R"(^\s*(template <[^>]*>\s+)?(?:class|struct)\s+(\w+)(?:\s+final)?\s*:)",
                   [&](const std::smatch& match) { is_template[prefix + match.str(2)] = match[1].matched; });
    for_each_match(text, R"(^using (\w+) = (\w+)<)", [&](const std::smatch& match) {
      instances[prefix + match.str(2)].insert(prefix + match.str(1));
    });
  });
  std::set<std::string> names;
  for (const auto& [name, over_ranks] : is_template) {
    if (instances.contains(name))
      names.merge(instances[name]);
    else if (over_ranks)
      for (const char* rank : {"1d", "2d", "3d"}) names.insert(name + rank);
    else
      names.insert(name);
  }
  return names;
}

std::string class_name(const nn::Module& module) {
  const bool unit_scaled = std::strstr(typeid(module).name(), "unit_scaled") != nullptr;
  return (unit_scaled ? "unit_scaled::" : "") + module.type_name();
}

}  // namespace evenkeel::test
