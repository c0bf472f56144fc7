#pragma once

#include <cstdint>

namespace evenkeel::kernels {

/// One step's numbers of torch.optim.SGD.
struct SgdStep {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
  bool first = false;  ///< the buffer is not set yet and becomes the gradient
};

/// One parameter's step in one pass; `buffer` (n) is used when momentum is not 0.
template <class T>
void sgd_step(const SgdStep& s, std::int64_t n, T* parameter, const T* gradient, T* buffer);

/// One step's numbers of torch.optim.Adam and AdamW.
struct AdamStep {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay shrinks the parameter and does not enter the gradient
  bool maximize = false;
  std::int64_t step = 1;  ///< number of this step, from 1, for the bias corrections
};

/// One parameter's step in one pass; `average` and `square` (n) are the moments, `max_square` (n) is
/// AMSGrad's running maximum or null.
template <class T>
void adam_step(const AdamStep& s, std::int64_t n, T* parameter, const T* gradient, T* average, T* square,
               T* max_square);

}  // namespace evenkeel::kernels
