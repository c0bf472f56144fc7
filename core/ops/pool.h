#pragma once

#include <evenkeel/core/per_axis.h>
#include <evenkeel/core/tensor.h>

namespace evenkeel {

// Pooling over `rank` (1 to 3) spatial axes of x (N, C, L…) or unbatched (C, L…). ConfigError for invalid
// options, ShapeError for an x that does not fit. Double backward: yes, all.

struct MaxPoolOptions {
  Axes kernel_size;
  Axes stride = {};  ///< kernel_size if it is not set
  Axes padding = 0;  ///< on both sides, at most half the kernel; never wins
  Axes dilation = 1;
  bool ceil_mode = false;  ///< also keep a last window that begins inside but reaches beyond the end
};

/// Largest element of each window; the gradient goes to the first of equals. L_out = ⌊(L + 2·padding -
/// dilation·(kernel - 1) - 1) / stride⌋ + 1.
Tensor max_pool(const Tensor& x, int rank, const MaxPoolOptions& options);
inline Tensor max_pool1d(const Tensor& x, const MaxPoolOptions& options) { return max_pool(x, 1, options); }
inline Tensor max_pool2d(const Tensor& x, const MaxPoolOptions& options) { return max_pool(x, 2, options); }
inline Tensor max_pool3d(const Tensor& x, const MaxPoolOptions& options) { return max_pool(x, 3, options); }

struct AvgPoolOptions {
  Axes kernel_size;
  Axes stride = {};  ///< kernel_size if it is not set
  Axes padding = 0;  ///< zeros on both sides, at most half the kernel
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< divide by the cells of the window in the padded input, not only in x
};

/// Mean of each window.
Tensor avg_pool(const Tensor& x, int rank, const AvgPoolOptions& options);
inline Tensor avg_pool1d(const Tensor& x, const AvgPoolOptions& options) { return avg_pool(x, 1, options); }
inline Tensor avg_pool2d(const Tensor& x, const AvgPoolOptions& options) { return avg_pool(x, 2, options); }
inline Tensor avg_pool3d(const Tensor& x, const AvgPoolOptions& options) { return avg_pool(x, 3, options); }

/// Means of `output_size` windows an axis: window o is ⌊o·L / L_out⌋ … ⌈(o + 1)·L / L_out⌉.
Tensor adaptive_avg_pool(const Tensor& x, int rank, const Axes& output_size);
inline Tensor adaptive_avg_pool1d(const Tensor& x, const Axes& size) { return adaptive_avg_pool(x, 1, size); }
inline Tensor adaptive_avg_pool2d(const Tensor& x, const Axes& size) { return adaptive_avg_pool(x, 2, size); }
inline Tensor adaptive_avg_pool3d(const Tensor& x, const Axes& size) { return adaptive_avg_pool(x, 3, size); }

namespace detail {
/// The checks of the options that need no input; `op` is named in the errors.
void check_pool(const std::string& op, int rank, const MaxPoolOptions& options);
void check_pool(const std::string& op, int rank, const AvgPoolOptions& options);
}  // namespace detail

}  // namespace evenkeel
