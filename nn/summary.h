#pragma once

#include <evenkeel/nn/module.h>

#include <string>
#include <vector>

namespace evenkeel::nn {

/// One call of a module.
struct SummaryRow {
  std::string name;                ///< type and number in the order of execution: "Conv1d-3"
  std::string path;                ///< dotted; empty for the root
  Shape output;                    ///< of one item, without the batch axis
  std::int64_t parameters = 0;     ///< elements of the module's own parameters; 0 where it is called again
  std::int64_t multiply_adds = 0;  ///< of its own convolutions and matrix products, for one item
};

/// What a net consists of and takes for one item.
struct Summary {
  std::vector<SummaryRow> rows;
  Shape input;
  std::int64_t parameters = 0;
  std::int64_t trainable_parameters = 0;
  std::int64_t multiply_adds = 0;
  std::int64_t input_bytes = 0;
  std::int64_t activation_bytes = 0;  ///< outputs of all rows, twice: forward and backward
  std::int64_t parameter_bytes = 0;

  /// The table: a row a call, children before their parents, then the totals in units of 2^20 bytes.
  std::string str() const;
};

/// Runs the module once, on a batch of two items of zeros, without a graph and in its present mode; its
/// buffers keep their values. `input` is the shape of one item: {channels, L…}. The type is the first
/// parameter's. Modules without a forward of their own (Sequential) get no row.
Summary summary(Module& module, const Shape& input);

}  // namespace evenkeel::nn
