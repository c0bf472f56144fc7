#include <evenkeel/core/kernels/elementwise.h>
#include <evenkeel/core/kernels/optim.h>

#include <cmath>

namespace evenkeel::kernels {

template <class T>
void sgd_step(const SgdStep& s, std::int64_t n, T* parameter, const T* gradient, T* buffer) {
  const T lr = static_cast<T>(s.lr);
  const T momentum = static_cast<T>(s.momentum);
  const T keep = static_cast<T>(1 - s.dampening);
  const T decay = static_cast<T>(s.weight_decay);
  const T sign = s.maximize ? T(-1) : T(1);
  if (s.momentum == 0) {
    const auto update = [=](std::int64_t i) {
      parameter[i] -= lr * (sign * gradient[i] + decay * parameter[i]);
    };
    map(n, update, parameter, gradient);
  } else if (s.first) {
    const T factor = s.nesterov ? 1 + momentum : T(1);
    const auto update = [=](std::int64_t i) {
      buffer[i] = sign * gradient[i] + decay * parameter[i];
      parameter[i] -= lr * (factor * buffer[i]);
    };
    map(n, update, parameter, gradient, buffer);
  } else {
    const T of_gradient = s.nesterov ? T(1) : T(0);
    const T of_buffer = s.nesterov ? momentum : T(1);
    const auto update = [=](std::int64_t i) {
      const T g = sign * gradient[i] + decay * parameter[i];
      buffer[i] = momentum * buffer[i] + keep * g;
      parameter[i] -= lr * (of_gradient * g + of_buffer * buffer[i]);
    };
    map(n, update, parameter, gradient, buffer);
  }
}

template <class T>
void adam_step(const AdamStep& s, std::int64_t n, T* parameter, const T* gradient, T* average, T* square,
               T* max_square) {
  const auto step = static_cast<double>(s.step);
  const T step_size = static_cast<T>(s.lr / (1 - std::pow(s.beta1, step)));
  const T root_correction = static_cast<T>(std::sqrt(1 - std::pow(s.beta2, step)));
  const T eps = static_cast<T>(s.eps);
  const T beta2 = static_cast<T>(s.beta2);
  const T new_average = static_cast<T>(1 - s.beta1);
  const T new_square = static_cast<T>(1 - s.beta2);
  const T sign = s.maximize ? T(-1) : T(1);
  const T shrink = s.decoupled ? static_cast<T>(1 - s.lr * s.weight_decay) : T(1);
  const T decay = s.decoupled ? T(0) : static_cast<T>(s.weight_decay);
  const auto update = [=](std::int64_t i, T& largest) {
    const T p = parameter[i] * shrink;
    const T g = sign * gradient[i] + decay * p;
    average[i] += new_average * (g - average[i]);
    square[i] = beta2 * square[i] + new_square * (g * g);
    largest = largest > square[i] ? largest : square[i];
    parameter[i] = p - step_size * (average[i] / (std::sqrt(largest) / root_correction + eps));
  };
  if (max_square != nullptr) {
    const auto keep_largest = [=](std::int64_t i) { update(i, max_square[i]); };
    map(n, keep_largest, parameter, gradient, average, square, max_square);
  } else {
    const auto forget_largest = [=](std::int64_t i) {
      T largest = 0;
      update(i, largest);
    };
    map(n, forget_largest, parameter, gradient, average, square);
  }
}

#define EVENKEEL_INSTANTIATE(T)                                           \
  template void sgd_step(const SgdStep&, std::int64_t, T*, const T*, T*); \
  template void adam_step(const AdamStep&, std::int64_t, T*, const T*, T*, T*, T*);
EVENKEEL_INSTANTIATE(float)
EVENKEEL_INSTANTIATE(double)
#undef EVENKEEL_INSTANTIATE

}  // namespace evenkeel::kernels
