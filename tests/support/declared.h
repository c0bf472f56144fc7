#pragma once

#include <set>
#include <string>

namespace evenkeel::nn {
class Module;
}

namespace evenkeel::test {

// What the headers of the source tree declare, found by reading them: so that a test of "every layer" or
// "every op" fails when somebody adds one without a case. Names from a folder below the given one have its
// name in front: "unit_scaled::GELU".

/// Names of the functions that return a Tensor.
std::set<std::string> declared_functions(const std::string& folder);

/// Names of the classes that are derived from any other. A class template stands under the names of its
/// instances ("using Conv1d = Conv<1>;"), or as "Stack1d" to "Stack3d" if it has none.
std::set<std::string> declared_classes(const std::string& folder);

/// The name under which declared_classes() has the class of a module.
std::string class_name(const nn::Module& module);

}  // namespace evenkeel::test
