#pragma once

#include <evenkeel/core/tensor.h>

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace evenkeel::test {

/// One case of a golden file (tests/golden/README.md): an op, its options, and tensors by name, in f64
/// (labels in i64).
struct GoldenCase {
  std::string name;
  std::string op;
  nlohmann::json options;
  nlohmann::json entry;  ///< the whole case as it stands in the file
  std::map<std::string, Tensor> tensors;

  bool has(const std::string& tensor) const { return tensors.contains(tensor); }
  /// The tensor; undefined if the case has none of the name.
  Tensor get(const std::string& tensor) const;
};

/// The number formula of the golden files: what Python's made() gives.
Tensor golden_made(const Shape& shape, std::uint64_t seed, double scale = 1, double shift = 0);

/// Where the golden files are.
inline const std::string kGoldenFolder = EVENKEEL_SOURCE_DIR "/tests/golden";

/// All cases of a golden file.
std::vector<GoldenCase> read_golden(const std::string& file, const std::string& folder = kGoldenFolder);

struct GoldenDifference {
  double f64 = 0, f32 = 0;
};

/// Runs `function` on the case's `inputs` in f64 and in f32, calls backward with the case's gy, and compares
/// the output with y and the gradient of each input i with grad_i: 1e-12 relative in f64, 1e-5 in f32.
/// Returns the largest relative differences.
GoldenDifference check_golden(const GoldenCase& golden, const std::vector<std::string>& inputs,
                              const std::function<Tensor(const std::vector<Tensor>&)>& function);

}  // namespace evenkeel::test
