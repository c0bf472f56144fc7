#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// Sizes of a normalisation by channel statistics: x is (batch, channels, size), size = product of the
/// spatial axes. groups == 0: batch norm, one statistic a channel, over batch and space. groups > 0: each
/// item of the batch has `groups` statistics of channels / groups channels each: group norm, and instance
/// norm when groups == channels.
struct NormGeometry {
  std::int64_t batch = 1;
  std::int64_t channels = 1;
  std::int64_t size = 1;
  std::int64_t groups = 0;

  /// Number of statistics: entries of mean, variance and rstd.
  std::int64_t statistics() const { return groups == 0 ? channels : batch * groups; }
  /// Rows of `size` elements, and elements, that one statistic is taken over.
  std::int64_t rows() const { return groups == 0 ? batch : channels / groups; }
  std::int64_t elements() const { return rows() * size; }
};

/// Mean and biased variance of each statistic, in one stable pass over x.
template <class T>
void moments(const NormGeometry& g, const T* x, T* mean, T* variance);

/// rstd[i] = 1 / sqrt(variance[i] + eps).
template <class T>
void reciprocal_std(std::int64_t count, const T* variance, double eps, T* rstd);

/// An activation that follows a norm in the same pass over memory: z where z > 0, else slope·z.
template <class T>
struct NormActivation {
  enum class Kind { none, relu, prelu };
  Kind kind = Kind::none;
  const T* slope = nullptr;  ///< prelu's, one for all channels or one for each
  std::int64_t slopes = 1;
};

/// y = (x - mean) * rstd * weight + bias, then the activation; weight and bias (channels) may be null.
template <class T>
void normalize_forward(const NormGeometry& g, const T* x, const T* mean, const T* rstd, const T* weight,
                       const T* bias, T* y, const NormActivation<T>& then = {});

/// Gradients of normalize_forward. from_input: mean and rstd are those of x (training) and take part in gx;
/// else they are constants (evaluation). Any of gx, gweight, gbias may be null; each is added to beta times
/// itself (beta 0: not read). weight may be null. With an activation, what it was given is computed again
/// from x, and gslope (slopes) is filled unless null.
template <class T>
void normalize_backward(const NormGeometry& g, bool from_input, const T* x, const T* gy, const T* mean,
                        const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias,
                        T parameter_beta, const NormActivation<T>& then = {}, const T* bias = nullptr,
                        T* gslope = nullptr);

/// Layer norm of `rows` rows of `size` elements; weight and bias (size) may be null. Fills mean and rstd
/// (rows) for the backward pass.
template <class T>
void layer_norm_forward(std::int64_t rows, std::int64_t size, const T* x, const T* weight, const T* bias,
                        double eps, T* y, T* mean, T* rstd);
template <class T>
void layer_norm_backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* mean,
                         const T* rstd, const T* weight, T* gx, T gx_beta, T* gweight, T* gbias,
                         T parameter_beta);

/// y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps) a row; weight (size) may be null.
template <class T>
void rms_norm_forward(std::int64_t rows, std::int64_t size, const T* x, const T* weight, double eps, T* y,
                      T* rstd);
template <class T>
void rms_norm_backward(std::int64_t rows, std::int64_t size, const T* x, const T* gy, const T* rstd,
                       const T* weight, T* gx, T gx_beta, T* gweight, T parameter_beta);

}  // namespace evenkeel::kernels
