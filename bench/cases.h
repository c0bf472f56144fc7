#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace evenkeel::bench {

/// One line of cases.json.
struct Case {
  std::string name, group;
  nlohmann::json entry;
};

/// The cases whose group is, or whose name contains, one of `only`; all if that is empty. FileError if the
/// file is no list of cases of known layers, ConfigError if one of `only` names none.
std::vector<Case> read_cases(const std::string& path, const std::vector<std::string>& only);

/// What is timed of a case: "forward" (without a graph), "input grad" and "weight grad" (that part of the
/// backward alone), "train" (forward and backward), "step" (of the optimiser, or of a whole training).
std::vector<std::string> passes(const Case& item);

/// A pass, once.
using Run = std::function<void()>;
Run make_run(const Case& item, const std::string& pass);

/// What a pass computes, and the least that it must move: each op's inputs and outputs once.
struct Work {
  double flops = 0;  ///< of convolutions and matrix products
  double bytes = 0;

  bool computes() const { return flops > 0; }
};
Work work(const Case& item, const std::string& pass);

}  // namespace evenkeel::bench
